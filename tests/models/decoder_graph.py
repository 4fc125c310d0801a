"""Tiny decoders as ONNX, of the forms that chat models are exported in; no project code."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.models.decoder import Shape, Weights, rotations

LONG_THETA = 300.0
"""Turns long texts, where a form has two kinds."""

_OPSET = 17
_IR = 9


@dataclass(frozen=True, slots=True)
class Form:
    """How a network is exported."""

    attention: Literal["grouped", "growing"] = "grouped"
    """`grouped`: GroupQueryAttention on a shared buffer; `growing`: the past is concatenated."""
    sees_past: bool = True
    """Whether the mask of a growing past is right for several tokens behind one; else the run
    fails, as with graphs of MultiHeadAttention by the model builder."""
    positions: Literal["lengths", "input"] = "lengths"
    """Where places come from: the lengths in GroupQueryAttention, or an input `position_ids`."""
    cache: Literal["float32", "float16"] = "float32"
    is_head_pruned: bool = False
    """Whether the export computes the logits of the last token only."""
    keeps_logits: bool = False
    """Whether an input `num_logits_to_keep` says how many of the last logits are computed."""
    head: Literal["plain", "scaled", "quantized"] = "plain"
    """`scaled`: the logits are divided, squashed and cast behind the head, as some models do;
    `quantized`: states become whole numbers in the run."""
    short: int | None = None
    """The longest text that is turned as the shape says; longer ones are turned by `LONG_THETA`."""
    layout: Literal["genai", "transformers"] = "transformers"
    eos: int | Sequence[int] = (1,)
    are_weights_outside: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    """Keys of config.json or of genai_config.json's `model`, beside the usual ones."""


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def node(
        self, operator: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Any
    ) -> str:
        outputs = [output] if isinstance(output, str) else list(output)
        self.nodes.append(helper.make_node(operator, inputs, outputs, outputs[0], **attributes))
        return outputs[0]

    def fused(self, operator: str, inputs: Sequence[str], output: Any, **attributes: Any) -> str:
        return self.node(operator, inputs, output, domain="com.microsoft", **attributes)

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        return self.constant("i_" + "_".join(map(str, values)), np.array(values, np.int64))


class _Network:
    """Writes the nodes of one network in one form."""

    def __init__(self, shape: Shape, form: Form, weights: Weights) -> None:
        self.shape, self.form, self.weights = shape, form, weights
        self.graph = _Graph()
        self.kind = TensorProto.FLOAT16 if form.cache == "float16" else TensorProto.FLOAT

    def linear(self, states: str, name: str, output: str) -> str:
        matrix = self.graph.constant(f"{name}.T", np.ascontiguousarray(self.weights[name].T))
        return self.graph.node("MatMul", [states, matrix], output)

    def norm(self, states: str, name: str) -> str:
        graph = self.graph
        epsilon = graph.constant("epsilon", np.float32(self.shape.epsilon))
        graph.node("Mul", [states, states], f"{name}/square")
        graph.node("ReduceMean", [f"{name}/square"], f"{name}/mean", axes=[-1])
        graph.node("Add", [f"{name}/mean", epsilon], f"{name}/shifted")
        graph.node("Sqrt", [f"{name}/shifted"], f"{name}/root")
        graph.node("Div", [states, f"{name}/root"], f"{name}/unit")
        scale = graph.constant(name, self.weights[name])
        return graph.node("Mul", [f"{name}/unit", scale], f"{name}/normed")

    def cast(self, value: str, kind: int) -> str:
        if kind == TensorProto.FLOAT and self.kind == TensorProto.FLOAT:
            return value
        return self.graph.node("Cast", [value], f"{value}/cast", to=kind)

    def write(self) -> str:
        """Leave the logits in the name returned."""
        graph = self.graph
        graph.node("Gather", [graph.constant("embed", self.weights["embed"]), "input_ids"], "words")
        self.write_tables()
        states = "words"
        for n in range(self.shape.layers):
            inputs = self.norm(states, f"{n}.attention_norm")
            parts = [self.linear(inputs, f"{n}.{part}", f"{n}/{part}") for part in _PARTS]
            attend = self.attend_grouped if self.form.attention == "grouped" else self.attend
            mixed = self.linear(attend(n, parts), f"{n}.output", f"{n}/output")
            states = graph.node("Add", [states, mixed], f"{n}/attended")
            inputs = self.norm(states, f"{n}.inner_norm")
            gate = self.linear(inputs, f"{n}.gate", f"{n}/gate")
            graph.node("Sigmoid", [gate], f"{n}/sigmoid")
            graph.node("Mul", [gate, f"{n}/sigmoid"], f"{n}/silu")
            graph.node("Mul", [f"{n}/silu", self.linear(inputs, f"{n}.up", f"{n}/up")], f"{n}/in")
            inner = self.linear(f"{n}/in", f"{n}.down", f"{n}/down")
            states = graph.node("Add", [states, inner], f"{n}/states")
        states = self.norm(states, "norm")
        if self.form.is_head_pruned:
            states = graph.node("Gather", [states, graph.integers(-1)], "last_states", axis=1)
        if self.form.keeps_logits:
            graph.node("Neg", ["num_logits_to_keep"], "first_scalar")
            graph.node("Unsqueeze", ["first_scalar", graph.integers(0)], "first_kept")
            end = graph.integers(2**62)
            states = graph.node("Slice", [states, "first_kept", end, graph.integers(1)], "kept")
        return self.write_head(states)

    def write_head(self, states: str) -> str:
        if self.form.head == "plain":
            return self.linear(states, "lm_head", "logits")
        graph = self.graph
        if self.form.head == "quantized":
            return self.write_quantized_head(states)
        self.linear(states, "lm_head", "raw_logits")
        graph.node("Div", ["raw_logits", graph.constant("cap", np.float32(30))], "divided")
        graph.node("Tanh", ["divided"], "squashed")
        graph.node("Mul", ["cap", "squashed"], "capped")
        return graph.node("Cast", ["capped"], "logits", to=TensorProto.FLOAT)

    def write_quantized_head(self, states: str) -> str:
        graph, matrix = self.graph, self.weights["lm_head"].T
        scale = np.abs(matrix).max() / 127
        graph.node("DynamicQuantizeLinear", [states], ["whole", "whole/scale", "whole/zero"])
        graph.constant("lm_head/whole", np.round(matrix / scale).astype(np.int8))
        graph.constant("lm_head/scale", np.float32(scale))
        graph.node("MatMulInteger", ["whole", "lm_head/whole", "whole/zero"], "whole_logits")
        graph.node("Cast", ["whole_logits"], "raw_logits", to=TensorProto.FLOAT)
        graph.node("Mul", ["whole/scale", "lm_head/scale"], "logits/scale")
        return graph.node("Mul", ["raw_logits", "logits/scale"], "logits")

    def write_rotations(self) -> None:
        """Leave cosines and sines in `cos` and `sin`; `total_64` is there by now."""
        graph, form = self.graph, self.form
        kind = np.dtype(form.cache if form.attention == "grouped" else "float32")
        short = [table.astype(kind) for table in rotations(self.shape)]
        if form.short is None:
            for name, table in zip(("cos", "sin"), short, strict=True):
                graph.constant(name, table)
            return
        long = rotations(dataclasses.replace(self.shape, theta=LONG_THETA))
        limit = graph.constant("limit", np.int64(form.short))
        graph.node("Greater", ["total_64", limit], "is_long")
        graph.node(
            "If",
            ["is_long"],
            ["cos", "sin"],
            then_branch=_tables("long", [table.astype(kind) for table in long]),
            else_branch=_tables("short", short),
        )

    def write_tables(self) -> None:
        graph = self.graph
        if self.form.attention == "grouped":
            graph.node("ReduceSum", ["attention_mask", graph.integers(1)], "lengths", keepdims=0)
            graph.node("Sub", ["lengths", graph.constant("one", np.int64(1))], "lasts_64")
            graph.node("Cast", ["lasts_64"], "lasts", to=TensorProto.INT32)
            graph.node("Shape", ["attention_mask"], "mask_shape")
            axis = graph.constant("one", np.int64(1))
            graph.node("Gather", ["mask_shape", axis], "total_64")
            graph.node("Cast", ["total_64"], "total", to=TensorProto.INT32)
            self.write_rotations()
            return
        self.write_rotations()
        graph.node("Shape", ["attention_mask"], "mask_shape")
        graph.node("Gather", ["mask_shape", graph.constant("one", np.int64(1))], "total")
        zero = graph.constant("zero", np.int64(0))
        graph.node("Range", [zero, "total", "one"], "key_places")  # (total,)
        if self.form.positions == "input":
            graph.node("Identity", ["position_ids"], "places")
        else:
            graph.node("Shape", ["input_ids"], "ids_shape")
            graph.node("Gather", ["ids_shape", "one"], "new")
            graph.node("Sub", ["total", "new"], "old")
            graph.node("Range", ["old", "total", "one"], "place_row")
            graph.node("Unsqueeze", ["place_row", graph.integers(0)], "places")
        graph.node("Unsqueeze", ["places", graph.integers(2)], "place_column")
        if self.form.sees_past:
            graph.node("LessOrEqual", ["key_places", "place_column"], "is_seen_3")
        else:
            graph.node("LessOrEqual", ["places", "place_column"], "is_seen_new")
            graph.node("Unsqueeze", ["total", graph.integers(0)], "total_1")
            graph.node("Concat", [*["i_1"] * 2, "total_1"], "seen_shape", axis=0)
            graph.node("Expand", ["is_seen_new", "seen_shape"], "is_seen_3")
        graph.node("Unsqueeze", ["is_seen_3", graph.integers(1)], "is_seen")
        for name in ("cos", "sin"):
            graph.node("Gather", [name, "places"], f"{name}_3")
            graph.node("Unsqueeze", [f"{name}_3", graph.integers(1)], f"{name}_4")

    def attend_grouped(self, n: int, parts: list[str]) -> str:
        shape = self.shape
        query, key, value = (self.cast(part, self.kind) for part in parts)
        is_inside = self.form.positions == "lengths"
        if not is_inside:
            for name, count in ((query, shape.heads), (key, shape.kv_heads)):
                self.graph.fused(
                    "RotaryEmbedding",
                    [name, "position_ids", "cos", "sin"],
                    f"{name}/turned",
                    num_heads=count,
                    rotary_embedding_dim=shape.head,
                )
            query, key = f"{query}/turned", f"{key}/turned"
        past = [f"past_key_values.{n}.key", f"past_key_values.{n}.value"]
        tables = ["cos", "sin"] if is_inside else []
        window = (
            {}
            if shape.window is None
            else {"local_window_size": shape.window, "sliding_window_cache": 1}
        )
        mixed = self.graph.fused(
            "GroupQueryAttention",
            [query, key, value, *past, "lasts", "total", *tables],
            [f"{n}/mixed", f"present.{n}.key", f"present.{n}.value"],
            num_heads=shape.heads,
            kv_num_heads=shape.kv_heads,
            do_rotary=int(is_inside),
            **window,
        )
        return self.cast(mixed, TensorProto.FLOAT)

    def attend(self, n: int, parts: list[str]) -> str:
        graph, shape = self.graph, self.shape
        counts = (shape.heads, shape.kv_heads, shape.kv_heads)
        for part, count in zip(parts, counts, strict=True):
            graph.node("Reshape", [part, graph.integers(0, 0, count, shape.head)], f"{part}/4")
            graph.node("Transpose", [f"{part}/4"], f"{part}/heads", perm=[0, 2, 1, 3])
        query, key, value = parts
        for part in (query, key):
            self.turn(part)
        for side, new in (("key", f"{key}/turned"), ("value", f"{value}/heads")):
            both = [f"past_key_values.{n}.{side}", self.cast(new, self.kind)]
            graph.node("Concat", both, f"present.{n}.{side}", axis=2)
        keys, values = (
            self.cast(f"present.{n}.{side}", TensorProto.FLOAT) for side in ("key", "value")
        )
        # The heads of a group stand one after the other: (batch, kv_heads, group * tokens, head).
        grouped = graph.integers(0, shape.kv_heads, -1, shape.head)
        graph.node("Reshape", [f"{query}/turned", grouped], f"{query}/grouped")
        graph.node("Transpose", [keys], f"{n}/keys", perm=[0, 1, 3, 2])
        graph.node("MatMul", [f"{query}/grouped", f"{n}/keys"], f"{n}/raw")
        scale = graph.constant("scale", np.float32(1 / np.sqrt(shape.head)))
        graph.node("Mul", [f"{n}/raw", scale], f"{n}/scaled")
        graph.node("Shape", [f"{n}/scaled"], f"{n}/grouped_shape")
        graph.node("Shape", [f"{query}/heads"], f"{n}/query_shape")
        graph.node("Slice", [f"{n}/query_shape", *self.span(0, 3)], f"{n}/rows")
        graph.node("Slice", [f"{n}/grouped_shape", *self.span(3, 4)], f"{n}/columns")
        graph.node("Concat", [f"{n}/rows", f"{n}/columns"], f"{n}/score_shape", axis=0)
        graph.node("Reshape", [f"{n}/scaled", f"{n}/score_shape"], f"{n}/scores")
        far = graph.constant("far", np.float32(-1e30))
        graph.node("Where", ["is_seen", f"{n}/scores", far], f"{n}/masked")
        graph.node("Softmax", [f"{n}/masked"], f"{n}/shares", axis=-1)
        graph.node("Reshape", [f"{n}/shares", f"{n}/grouped_shape"], f"{n}/grouped_shares")
        graph.node("MatMul", [f"{n}/grouped_shares", values], f"{n}/grouped_mixed")
        graph.node("Reshape", [f"{n}/grouped_mixed", f"{n}/query_shape"], f"{n}/heads_mixed")
        graph.node("Transpose", [f"{n}/heads_mixed"], f"{n}/mixed_4", perm=[0, 2, 1, 3])
        flat = graph.integers(0, 0, shape.heads * shape.head)
        return graph.node("Reshape", [f"{n}/mixed_4", flat], f"{n}/mixed")

    def span(self, start: int, stop: int) -> tuple[str, str]:
        return self.graph.integers(start), self.graph.integers(stop)

    def turn(self, part: str) -> None:
        graph = self.graph
        halves = [f"{part}/left", f"{part}/right"]
        graph.node("Split", [f"{part}/heads"], halves, axis=-1)
        terms = (("left", "cos"), ("right", "sin"), ("right", "cos"), ("left", "sin"))
        for half, table in terms:
            graph.node("Mul", [f"{part}/{half}", f"{table}_4"], f"{part}/{half}_{table}")
        graph.node("Sub", [f"{part}/left_cos", f"{part}/right_sin"], f"{part}/new_left")
        graph.node("Add", [f"{part}/right_cos", f"{part}/left_sin"], f"{part}/new_right")
        graph.node("Concat", [f"{part}/new_left", f"{part}/new_right"], f"{part}/turned", axis=-1)


_PARTS = ("query", "key", "value")


def _tables(name: str, tables: Sequence[NDArray[Any]]) -> onnx.GraphProto:
    """Return a branch that gives cosines and sines."""
    nodes, outputs = [], []
    for side, table in zip(("cos", "sin"), tables, strict=True):
        output = f"{side}_{name}"
        tensor = numpy_helper.from_array(table)
        nodes.append(helper.make_node("Constant", [], [output], value=tensor))
        outputs.append(helper.make_tensor_value_info(output, tensor.data_type, table.shape))
    return helper.make_graph(nodes, name, [], outputs)


def decoder_graph(shape: Shape, form: Form, weights: Weights) -> onnx.ModelProto:
    """Return the network in a form; inputs and outputs have the names that exporters use."""
    network = _Network(shape, form, weights)
    logits = network.write()
    tokens = ("batch", "tokens")
    integers = {"input_ids": tokens, "attention_mask": ("batch", "total")}
    if form.positions == "input":
        integers["position_ids"] = tokens
    if form.keeps_logits:
        integers["num_logits_to_keep"] = ()
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, dimensions)
        for name, dimensions in integers.items()
    ]
    count = 1 if form.is_head_pruned else "kept" if form.keeps_logits else "tokens"
    outputs = [
        helper.make_tensor_value_info(logits, TensorProto.FLOAT, ("batch", count, shape.vocabulary))
    ]
    for layer in range(shape.layers):
        for side in ("key", "value"):
            for name, length, infos in (
                (f"past_key_values.{layer}.{side}", "past", inputs),
                (f"present.{layer}.{side}", "present", outputs),
            ):
                dimensions = ("batch", shape.kv_heads, length, shape.head)
                infos.append(helper.make_tensor_value_info(name, network.kind, dimensions))
    graph = network.graph
    return helper.make_model(
        helper.make_graph(graph.nodes, "decoder", inputs, outputs, list(graph.constants.values())),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)],
        ir_version=_IR,
    )
