"""Where a decoder's head is, and an input that says which tokens' logits it computes.

It changes the graph as a file; it runs nothing.
"""

from collections.abc import Mapping

import onnx
from onnx import helper

LOGIT_PLACES = "switchboard/logit_places"
"""Input of a changed graph, (n,): places among the tokens of a run; -1 is the last one."""

_HEADS = {"MatMul", "MatMulNBits", "FusedMatMul", "MatMulBnb4", "MatMulInteger"}
"""Products with the vocabulary; the states, or the states in whole numbers, come first."""
_BETWEEN = {"Cast", "Identity", "Add", "Sub", "Mul", "Div", "Tanh", "Clip"}
"""What may stand between the head and the logits: it works on each logit alone."""


def choose_logits(model: onnx.ModelProto, logits: str) -> bool:
    """Let each run choose the tokens whose logits it computes; return whether the head was found.

    The head of a vocabulary of 150,000 tokens costs more than the rest of a small model, and most
    prompts need it once. States of (batch, tokens, width) become (batch, n, width) by a gather
    before the head, logits (batch, n, vocabulary). A head that is written in another way is left
    alone, and so is one that the export limited to the last token.
    """
    output = next((value for value in model.graph.output if value.name == logits), None)
    if output is None or not _has_all_tokens(output):
        return False
    makers = {name: node for node in model.graph.node for name in node.output}
    head = _find_head(makers, _steady_values(model.graph), logits)
    if head is None:
        return False
    _gather_before(model.graph, head)
    if output.type.tensor_type.HasField("shape"):
        output.type.tensor_type.shape.dim[1].Clear()
    # Shapes that were inferred for all tokens are wrong behind the gather.
    del model.graph.value_info[:]
    return True


def _has_all_tokens(output: onnx.ValueInfoProto) -> bool:
    """Tell whether the logits, if their shape is known, are those of any number of tokens."""
    dimensions = output.type.tensor_type.shape.dim
    if not output.type.tensor_type.HasField("shape"):
        return True
    return len(dimensions) == 3 and dimensions[1].dim_value != 1


def _steady_values(graph: onnx.GraphProto) -> set[str]:
    """Return the values that have no axis of tokens.

    Beside constants these are the scale and the zero point of states that are quantized in the
    run, one for all tokens, and what is computed of nothing else.

    Source: https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
    """
    steady = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            steady |= {*node.output[1:]}
        elif node.op_type == "Constant" or (
            node.op_type in _BETWEEN and all(name in steady for name in node.input if name)
        ):
            steady |= {*node.output}
    return steady


def _find_head(
    makers: Mapping[str, onnx.NodeProto], steady: set[str], logits: str
) -> onnx.NodeProto | None:
    """Return the product of states and vocabulary; None where there is no single one."""
    node = makers.get(logits)
    while node is not None and node.op_type in _BETWEEN:
        values = [name for name in node.input if name and name not in steady]
        if len(values) != 1:
            return None
        node = makers.get(values[0])
    if node is None or node.op_type not in _HEADS or node.input[0] in steady:
        return None
    return node


def _gather_before(graph: onnx.GraphProto, head: onnx.NodeProto) -> None:
    kind = onnx.TensorProto.INT64
    graph.input.append(helper.make_tensor_value_info(LOGIT_PLACES, kind, ["logits"]))
    inputs, outputs = [head.input[0], LOGIT_PLACES], ["switchboard/states"]
    gather = helper.make_node("Gather", inputs, outputs, "switchboard/gather", axis=1)
    place = next(n for n, node in enumerate(graph.node) if head.output[0] in node.output)
    head.input[0] = gather.output[0]
    graph.node.insert(place, gather)
