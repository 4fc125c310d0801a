"""Writes an ONNX graph node by node; knows operators and tensors, no network."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CONTRIB = "com.microsoft"
"""The domain of ONNX Runtime's own fused operators.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

IR_VERSION = 10
"""Of the file format; newer ones hold nothing that we need."""


class GraphWriter:
    """A graph that grows; every method answers with the name of the value it made."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: TensorProto.DataType, shape: list[str | int]) -> str:
        """Declare an input; a str in the shape names a free axis."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: TensorProto.DataType, shape: list[str | int]) -> str:
        """Declare a value that was written before as an output."""
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        """Add a tensor of the model's own; the same name again replaces it."""
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        """Add an operator of the ONNX standard with one output; an input "" is left out."""
        self._add(op, inputs, output, "", attributes)
        return output

    def fused(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        """Add an operator of ONNX Runtime's own with one output."""
        self._add(op, inputs, output, CONTRIB, attributes)
        return output

    def model(self, opset: int, version: str) -> onnx.ModelProto:
        """The finished graph, checked; `version` is the exporter's."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=IR_VERSION,
            producer_name="switchboard-models",
            producer_version=version,
        )
        onnx.checker.check_model(model)
        return model

    def _add(
        self,
        op: str,
        inputs: list[str],
        output: str,
        domain: str,
        attributes: dict[str, object],
    ) -> None:
        name = f"{output}/{op}"
        node = helper.make_node(op, inputs, [output], name=name, domain=domain, **attributes)
        self._nodes.append(node)
