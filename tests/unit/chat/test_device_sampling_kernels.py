"""Every node of the device's graphs has a kernel for CUDA.

Where one has none, the runtime copies the logits to the host and back, without a word.
"""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest

from services.chat.engine.device_sampling.choosing import Kind, Variant, write_choosing
from services.chat.engine.device_sampling.logprobs import write_logprobs
from services.chat.engine.device_sampling.nodes import OPSET
from services.chat.engine.device_sampling.source import Source, write_rows

FLOATS = {"float", "double"}
KERNELS = {
    "Add": (14, {"int32", "uint32"} | FLOATS),
    "And": (7, {"bool"}),
    "Cast": (21, {"bool", "uint8", "int32", "uint32", "int64", "float16"} | FLOATS),
    "CumSum": (14, {"double"}),
    "Div": (14, {"uint32"} | FLOATS),
    "Equal": (19, {"uint32"} | FLOATS),
    "Exp": (13, {"float"}),
    "Gather": (13, {"bool", "uint8", "int32", "uint32", "float", "float16"}),
    "GatherElements": (13, {"bool", "uint32", "int64", "float"}),
    "Greater": (13, {"float"}),
    "GreaterOrEqual": (16, {"float"}),
    "Identity": (21, {"bool", "int64"} | FLOATS),
    "IsNaN": (20, {"float"}),
    "Less": (13, {"int64", "double"}),
    "Log": (13, FLOATS),
    "Min": (13, {"int64"}),
    "Mod": (13, {"uint32"}),
    "Mul": (14, FLOATS),
    "Neg": (13, FLOATS),
    "Or": (7, {"bool"}),
    "ReduceSum": (13, FLOATS),
    "Reshape": (21, {"bool", "float", "float16"}),
    "ScatterElements": (18, {"float"}),
    "Slice": (13, {"bool"}),
    "Split": (18, {"int32", "int64"} | FLOATS),
    "Sub": (14, {"int64", "uint32"} | FLOATS),
    "TopK": (11, FLOATS),
    "Where": (16, FLOATS),
}
"""What the CUDA provider has, as far as the graphs need it: operators by the version that they have
in the graphs' opset, and the types of their values, of `Cast` those from and to which it casts.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md
(CUDAExecutionProvider, ai.onnx)
"""

CHOOSING = [
    Variant(kind, has_changes, has_masks)
    for kind, has_changes, has_masks in itertools.product(Kind, (False, True), (False, True))
]


def graphs(source):
    """Return every graph for logits of some kind."""
    written = [write_choosing(variant, source) for variant in CHOOSING]
    return [*written, write_logprobs(source), write_rows(source)]


def typed_nodes(content):
    """Return the nodes of a graph with the types of their values."""
    model = onnx.load_from_string(content)
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    types |= {constant.name: constant.data_type for constant in graph.initializer}
    for node in graph.node:
        names = [*node.input, *node.output] if node.op_type == "Cast" else [_value_of(node)]
        for name in names:
            yield node.op_type, onnx.TensorProto.DataType.Name(types[name]).lower()


def _value_of(node):
    """Return the input whose type decides: the one behind the condition of `Where`."""
    return node.input[1 if node.op_type == "Where" else 0]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("vocabulary", [1003, 1024])
def test_every_node_has_a_kernel(vocabulary, dtype):
    for content in graphs(Source(vocabulary, np.dtype(dtype))):
        for operator, kind in typed_nodes(content):
            assert kind in KERNELS[operator][1], f"{operator} of {kind}"


def test_nothing_stands_in_the_list_that_no_graph_needs():
    used = {
        pair
        for vocabulary, dtype in itertools.product((1003, 1024), ("float16", "float32"))
        for content in graphs(Source(vocabulary, np.dtype(dtype)))
        for pair in typed_nodes(content)
    }

    listed = {(operator, kind) for operator, (_, kinds) in KERNELS.items() for kind in kinds}
    assert used == listed


@pytest.mark.parametrize("operator", KERNELS)
def test_operators_have_the_versions_that_the_list_speaks_of(operator):
    schema = onnx.defs.get_schema(operator, max_inclusive_version=OPSET)

    assert schema.since_version == KERNELS[operator][0]
