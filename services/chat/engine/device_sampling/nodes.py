"""Writes an ONNX graph node by node. It knows nothing of sampling."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 21
_IR_VERSION = 10
"""The one that came with this opset.

Source: https://github.com/onnx/onnx/blob/main/docs/Versioning.md (released versions)
"""

Value = str | np.generic | NDArray[Any]
"""An input of a node: the name of a value, or a constant."""

Outputs = Mapping[str, tuple[str, type[np.generic]]]
"""Values by the names that they get, and their types."""


class Nodes:
    """A graph in the making. Values are known by their names."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> str:
        """Add an input of the graph; sizes that vary have names."""
        self._inputs.append(_info(name, np.dtype(dtype), shape))
        return name

    def add(self, kind: str, *inputs: Value, **attributes: Any) -> str:
        """Add a node and return its output."""
        (output,) = self.add_many(kind, 1, *inputs, **attributes)
        return output

    def add_many(self, kind: str, count: int, *inputs: Value, **attributes: Any) -> list[str]:
        """Add a node with several outputs and return them."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        outputs = [f"{kind}_{len(self._nodes)}_{n}" for n in range(count)]
        self._nodes.append(helper.make_node(kind, names, outputs, **attributes))
        return outputs

    def cast(self, value: str, dtype: type[np.generic]) -> str:
        """Return a value in another type."""
        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def top(self, values: str, count: int) -> tuple[str, str]:
        """Return the greatest values of each row, the greatest first, and their places."""
        top, places = self.add_many("TopK", 2, values, np.array([count]))
        return top, places

    def column(self, values: str, place: int) -> str:
        """Return one column, (rows, 1)."""
        return self.add("Gather", values, np.array([place]), axis=1)

    def pick(self, values: str, places: str) -> str:
        """Return what stands at some places of each row."""
        return self.add("GatherElements", values, places, axis=1)

    def sum(self, values: str) -> str:
        """Return the sum of each row, (rows, 1)."""
        return self.add("ReduceSum", values, np.array([1]), keepdims=1)

    def model(self, outputs: Outputs) -> bytes:
        """Return the finished graph."""
        ends = [
            helper.make_node("Identity", [value], [name]) for name, (value, _) in outputs.items()
        ]
        infos = [_info(name, np.dtype(dtype)) for name, (_, dtype) in outputs.items()]
        constants = list(self._constants.values())
        graph = helper.make_graph([*self._nodes, *ends], "graph", self._inputs, infos, constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
        )
        content: bytes = model.SerializeToString()
        return content

    def _constant(self, value: np.generic | NDArray[Any]) -> str:
        """Return the name of a constant; equal ones are kept once."""
        array = np.asarray(value)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = numpy_helper.from_array(array, name)
        return str(self._constants[key].name)


def _info(
    name: str, dtype: np.dtype[np.generic], shape: Sequence[int | str] | None = None
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)
