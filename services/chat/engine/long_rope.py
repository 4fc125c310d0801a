"""Graphs with two tables of rotations, one for short texts and one for long ones.

They change the table in the middle of a text, when it gets longer than the short one allows. Keys
in the cache are turned by then, and in a batch the longest text would decide for all. So which
table is used is settled when the graph is opened: the short one where every text fits, else the
long one for all.

Source: Ding et al. 2024, https://arxiv.org/abs/2402.13753 (LongRoPE), as Phi-3 and Phi-4-mini have
it; vLLM's phi3_long_rope_scaled_rope.py settles it in the same way.
"""

import onnx
from onnx import external_data_helper, numpy_helper

_COMPARISONS = {"Greater", "GreaterOrEqual"}


def short_tokens(model: onnx.ModelProto) -> int | None:
    """Return the longest text of the short table; None where there is one table only."""
    switch = _find_switch(model.graph)
    return None if switch is None else _limit_of(model.graph, switch)


def fix_rotations(model: onnx.ModelProto, capacity: int) -> bool:
    """Use one table from now on; return whether there were two.

    Args:
        model: The graph, which is changed.
        capacity: The most tokens of a text.
    """
    graph = model.graph
    switch = _find_switch(graph)
    if switch is None:
        return False
    limit = _limit_of(graph, switch)
    assert limit is not None, "that is what a switch is known by"
    name = "else_branch" if capacity <= limit else "then_branch"
    branch = next(each.g for each in switch.attribute if each.name == name)
    tables = _constants(branch)
    for output, result in zip(switch.output, branch.output, strict=True):
        table = graph.initializer.add()
        table.CopyFrom(tables[result.name])
        table.name = output
    graph.node.remove(switch)
    return True


def _find_switch(graph: onnx.GraphProto) -> onnx.NodeProto | None:
    """Return the choice between tables of constants by a length."""
    for node in graph.node:
        branches = [each.g for each in node.attribute if each.type == onnx.AttributeProto.GRAPH]
        if (
            node.op_type == "If"
            and _limit_of(graph, node) is not None
            and all({value.name for value in b.output} <= {*_constants(b)} for b in branches)
        ):
            return node
    return None


def _limit_of(graph: onnx.GraphProto, switch: onnx.NodeProto) -> int | None:
    """Return the last length that takes the other branch; None where no length decides."""
    makers = {name: node for node in graph.node for name in node.output}
    comparison = makers.get(switch.input[0])
    if comparison is None or comparison.op_type not in _COMPARISONS:
        return None
    bound = _constants(graph).get(comparison.input[1])
    if bound is None or external_data_helper.uses_external_data(bound):
        return None
    limit = int(numpy_helper.to_array(bound).item())
    return limit if comparison.op_type == "Greater" else limit - 1


def _constants(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Return the constants of a graph by their names."""
    nodes = [node for node in graph.node if node.op_type == "Constant"]
    values = [(node.output[0], each) for node in nodes for each in node.attribute]
    return {tensor.name: tensor for tensor in graph.initializer} | {
        name: each.t for name, each in values if each.name == "value"
    }
