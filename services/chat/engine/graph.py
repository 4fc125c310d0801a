"""What a decoder's graph is like, and a head that computes no more than is sampled.

It reads and changes the graph as a file; it runs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import helper

from services.runtime.artifacts import ArtifactError

_HEADS = {"MatMul", "MatMulNBits", "FusedMatMul"}
_BETWEEN = {"Cast", "Identity", "Add", "Sub", "Mul", "Div", "Tanh", "Clip"}
"""What may stand between the head and the logits: it works on each logit alone."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A decoder's graph as it is run."""

    content: bytes | None
    """The changed graph; None where the file is run as it is."""
    has_shared_cache: bool
    """Whether keys and values are written in place; else they grow by concatenation."""


def read_graph(path: Path, logits: str) -> Graph:
    """Read a graph, and make it compute the logits of the last token only.

    The head of a vocabulary of 150,000 tokens costs more than the rest of a small model, and a
    prompt needs it once.

    Args:
        path: The file; weights outside it stay where they are.
        logits: The name of the output.

    Raises:
        ArtifactError: The file is missing or no graph.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: there is no such file") from None
    except Exception as error:  # the parser's own are of a library that engines do not know
        raise ArtifactError(f"{path}: cannot be read as a graph: {error}") from error
    has_shared_cache = any(node.op_type == "GroupQueryAttention" for node in model.graph.node)
    is_changed = prune_head(model, logits)
    return Graph(model.SerializeToString() if is_changed else None, has_shared_cache)


def prune_head(model: onnx.ModelProto, logits: str) -> bool:
    """Put a gather of the last token before the head; return whether its place was found.

    States of (batch, tokens, width) become (batch, 1, width), logits (batch, 1, vocabulary). A
    head that is written in another way is left alone.
    """
    output = next((value for value in model.graph.output if value.name == logits), None)
    if output is None or _is_pruned(output):
        return False
    head = _find_head(model.graph, logits)
    if head is None:
        return False
    states = head.input[0]
    index = helper.make_tensor("switchboard/last_token", onnx.TensorProto.INT64, [1], [-1])
    gather = helper.make_node(
        "Gather", [states, index.name], ["switchboard/last_states"], "switchboard/last", axis=1
    )
    model.graph.initializer.append(index)
    place = next(
        place for place, node in enumerate(model.graph.node) if head.output[0] in node.output
    )
    head.input[0] = gather.output[0]
    model.graph.node.insert(place, gather)
    if output.type.tensor_type.HasField("shape"):
        tokens = output.type.tensor_type.shape.dim[1]
        tokens.Clear()
        tokens.dim_value = 1
    # Shapes that were inferred for the whole prompt are wrong behind the gather.
    del model.graph.value_info[:]
    return True


def _is_pruned(output: onnx.ValueInfoProto) -> bool:
    dimensions = output.type.tensor_type.shape.dim
    return len(dimensions) == 3 and dimensions[1].dim_value == 1


def _find_head(graph: onnx.GraphProto, logits: str) -> onnx.NodeProto | None:
    """Return the product of states and vocabulary; None where there is no single one."""
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    node = _maker(graph, logits)
    while node is not None and node.op_type in _BETWEEN:
        values = [name for name in node.input if name and name not in constants]
        if len(values) != 1:
            return None
        node = _maker(graph, values[0])
    if node is None or node.op_type not in _HEADS or node.input[0] in constants:
        return None
    return node


def _maker(graph: onnx.GraphProto, name: str) -> onnx.NodeProto | None:
    makers: Iterator[onnx.NodeProto] = (node for node in graph.node if name in node.output)
    return next(makers, None)
