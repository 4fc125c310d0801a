"""Tiny encoders in the layout of sentence-transformers, built in code; they know no project code.

The graph is one head of attention: every token sees every other one under the attention mask, the
padding's embedding is not zero, and places count. Padding that leaks, or a lost order, shows.
"""

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from tokenizers import models, normalizers, pre_tokenizers, processors

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
PAD_ID, UNK_ID, CLS_ID, SEP_ID = range(4)
LETTERS = string.ascii_lowercase + string.digits
VOCABULARY = {
    token: place
    for place, token in enumerate((*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)))
}
"""One token a letter: `abc` has three of them and, with the special ones, five."""

_OPSET = 17
_IR = 9


@dataclass(frozen=True, slots=True)
class Options:
    """What a tiny encoder is like; the defaults are those of the folders that people use."""

    width: int = 8
    positions: int = 64
    layers: int = 1
    seed: int = 0
    inputs: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids")
    integers: str = "int64"
    output: str = "last_hidden_state"
    """`sentence_embedding` puts the mean into the graph."""
    file: str = "onnx/model.onnx"
    pooling: tuple[str, ...] = ("mean",)
    pooling_form: str = "flags"
    """`flags`: one boolean a mode, as older tools write; `name`: `pooling_mode`, as newer ones."""
    normalize: bool = True
    modules: bool = True
    """Whether the folder has a modules.json."""
    max_seq_length: int | None = 48
    lowercase: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    special_tokens: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)
    """Keys of config.json, beside the usual ones."""


def write_encoder(folder: Path, **options: Any) -> Path:
    """Write a tiny encoder into `folder`, as `Options` say, and return the folder."""
    told = Options(**options)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "config.json",
        {
            "model_type": "bert",
            "hidden_size": told.width,
            "max_position_embeddings": told.positions,
            "pad_token_id": PAD_ID,
            **told.config,
        },
    )
    texts = {"max_seq_length": told.max_seq_length, "do_lower_case": told.lowercase}
    write_json(folder / "sentence_bert_config.json", texts)
    prompts = {"prompts": dict(told.prompts), "default_prompt_name": told.default_prompt_name}
    write_json(folder / "config_sentence_transformers.json", prompts)
    if told.modules:
        _write_modules(folder, told)
    tokenizer(special_tokens=told.special_tokens).save(str(folder / "tokenizer.json"))
    graph = folder / told.file
    graph.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(encoder_graph(told), str(graph))
    return folder


def write_json(path: Path, value: object) -> Path:
    """Write `value` as JSON and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def tokenizer(*, special_tokens: bool = True) -> tokenizers.Tokenizer:
    """Return a tokenizer with one token a letter."""
    result = tokenizers.Tokenizer(models.WordPiece(VOCABULARY, max_input_chars_per_word=10_000))
    result.normalizer = normalizers.BertNormalizer(lowercase=False)
    result.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special_tokens:
        result.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS_ID), ("[SEP]", SEP_ID)]
        )
    return result


def encoder_graph(options: Options) -> onnx.ModelProto:
    """Return the graph: embeddings, then layers of masked attention."""
    rng = np.random.default_rng(options.seed)
    graph = _Graph()
    shape = ("batch", "tokens")
    kind = TensorProto.INT32 if options.integers == "int32" else TensorProto.INT64
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name in options.inputs]
    for name in options.inputs:
        graph.node("Cast", [name], f"{name}_64", to=TensorProto.INT64)
    _embed(graph, options, rng)
    states = "embedded"
    for layer in range(options.layers):
        states = _attend(graph, states, f"layer{layer}", options.width, rng)
    dimensions: Sequence[str | int] = (*shape, options.width)
    if options.output == "sentence_embedding":
        _average(graph, states)
        dimensions = ("batch", options.width)
    else:
        graph.node("Identity", [states], options.output)
    output = helper.make_tensor_value_info(options.output, TensorProto.FLOAT, dimensions)
    return helper.make_model(
        helper.make_graph(graph.nodes, "encoder", inputs, [output], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
    )


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _embed(graph: _Graph, options: Options, rng: np.random.Generator) -> None:
    """Leave the embeddings in `embedded` and the mask, 1 for real tokens, in `mask`."""

    def table(name: str, rows: int) -> str:
        return graph.constant(name, rng.normal(size=(rows, options.width)).astype(np.float32))

    graph.node("Gather", [table("words", len(VOCABULARY)), "input_ids_64"], "embedded_words")
    if "position_ids" in options.inputs:
        places = "position_ids_64"
    else:
        one = graph.constant("one", np.int64(1))
        graph.node("Sub", ["input_ids_64", "input_ids_64"], "zeros")
        graph.node("Add", ["zeros", one], "ones")
        graph.node("CumSum", ["ones", graph.constant("token_axis", np.int64(1))], "counted")
        places = graph.node("Sub", ["counted", one], "places")
    graph.node("Gather", [table("places_table", options.positions), places], "embedded_places")
    graph.node("Add", ["embedded_words", "embedded_places"], "embedded")
    if "token_type_ids" in options.inputs:
        graph.nodes.pop()
        graph.node("Add", ["embedded_words", "embedded_places"], "embedded_both")
        graph.node("Gather", [table("types", 2), "token_type_ids_64"], "embedded_types")
        graph.node("Add", ["embedded_both", "embedded_types"], "embedded")
    if "attention_mask" in options.inputs:
        graph.node("Cast", ["attention_mask_64"], "mask", to=TensorProto.FLOAT)
    else:
        graph.node("Equal", ["input_ids_64", graph.constant("pad", np.int64(PAD_ID))], "is_pad")
        graph.node("Not", ["is_pad"], "is_real")
        graph.node("Cast", ["is_real"], "mask", to=TensorProto.FLOAT)


def _attend(graph: _Graph, states: str, name: str, width: int, rng: np.random.Generator) -> str:
    """Mix the states of each row under the mask; return the name of the result."""
    weights = (rng.normal(size=(width, width)) / np.sqrt(width)).astype(np.float32)
    graph.node("MatMul", [states, graph.constant(f"{name}_weights", weights)], f"{name}_keys")
    graph.node("Transpose", [f"{name}_keys"], f"{name}_turned", perm=[0, 2, 1])
    graph.node("MatMul", [states, f"{name}_turned"], f"{name}_scores")  # (batch, tokens, tokens)
    one = graph.constant(f"{name}_one", np.float32(1))
    far = graph.constant(f"{name}_far", np.float32(10_000))
    graph.node("Sub", ["mask", one], f"{name}_hidden")
    graph.node("Mul", [f"{name}_hidden", far], f"{name}_penalty")
    axis = graph.constant(f"{name}_axis", np.array([1], np.int64))
    graph.node("Unsqueeze", [f"{name}_penalty", axis], f"{name}_penalties")
    graph.node("Add", [f"{name}_scores", f"{name}_penalties"], f"{name}_masked")
    graph.node("Softmax", [f"{name}_masked"], f"{name}_shares", axis=-1)
    graph.node("MatMul", [f"{name}_shares", states], f"{name}_mixed")
    graph.node("Add", [f"{name}_mixed", states], f"{name}_sum")
    return graph.node("Tanh", [f"{name}_sum"], f"{name}_states")


def _average(graph: _Graph, states: str) -> None:
    last = graph.constant("last_axis", np.array([2], np.int64))
    token_axis = graph.constant("mean_axis", np.array([1], np.int64))
    graph.node("Unsqueeze", ["mask", last], "mask_column")
    graph.node("Mul", [states, "mask_column"], "real_states")
    graph.node("ReduceSum", ["real_states", token_axis], "total", keepdims=0)
    graph.node("ReduceSum", ["mask", token_axis], "count", keepdims=1)
    graph.node("Div", ["total", "count"], "sentence_embedding")


def _write_modules(folder: Path, options: Options) -> None:
    names = {"Transformer": "", "Pooling": "1_Pooling"}
    if options.normalize:
        names["Normalize"] = "2_Normalize"
    modules = [
        {
            "idx": place,
            "name": str(place),
            "path": path,
            "type": f"sentence_transformers.models.{name}",
        }
        for place, (name, path) in enumerate(names.items())
    ]
    write_json(folder / "modules.json", modules)
    pooling = {"word_embedding_dimension": options.width, **pooling_config(options)}
    write_json(folder / "1_Pooling" / "config.json", pooling)


def pooling_config(options: Options) -> dict[str, Any]:
    """Return what 1_Pooling/config.json says, in the older or the newer form."""
    if options.pooling_form == "name":
        chosen = list(options.pooling)
        return {"pooling_mode": chosen if len(chosen) > 1 else chosen[0]}
    flags = {
        "cls": "pooling_mode_cls_token",
        "max": "pooling_mode_max_tokens",
        "mean": "pooling_mode_mean_tokens",
        "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
        "weightedmean": "pooling_mode_weightedmean_tokens",
        "lasttoken": "pooling_mode_lasttoken",
    }
    return {flag: mode in options.pooling for mode, flag in flags.items()}
