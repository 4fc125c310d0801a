"""Model folders around tiny decoders, in both layouts that tools write; no project code."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from tests.models.decoder import TINY, Shape, Weights, random_weights
from tests.models.decoder_graph import Form, decoder_graph


def write_decoder(
    folder: Path, shape: Shape = TINY, weights: Weights | None = None, **form: Any
) -> Path:
    """Write a model folder, as `Form` says, and return it; nothing in it but the model."""
    told = Form(**form)
    graph = decoder_graph(shape, told, random_weights(shape) if weights is None else weights)
    if told.layout == "genai":
        path = folder / "model.onnx"
        configs = {"genai_config.json": _genai_config(shape, told)}
    else:
        path = folder / "onnx/model.onnx"
        configs = {
            "config.json": _transformers_config(shape, told),
            "generation_config.json": {"eos_token_id": _as_json(told.eos)},
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, config in configs.items():
        (folder / name).write_text(json.dumps(config))
    outside = {"save_as_external_data": True, "location": "model.onnx.data", "size_threshold": 512}
    onnx.save(graph, str(path), **(outside if told.are_weights_outside else {}))
    return folder


def _as_json(eos: int | Sequence[int]) -> int | list[int]:
    return eos if isinstance(eos, int) else list(eos)


def _transformers_config(shape: Shape, form: Form) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "hidden_size": shape.width,
        "max_position_embeddings": shape.context,
        "vocab_size": shape.vocabulary,
        "eos_token_id": 0,
        **form.config,
    }


def _genai_config(shape: Shape, form: Form) -> dict[str, Any]:
    inputs = {
        "input_ids": "input_ids",
        "attention_mask": "attention_mask",
        "past_key_names": "past_key_values.%d.key",
        "past_value_names": "past_key_values.%d.value",
    }
    if form.positions == "input":
        inputs["position_ids"] = "position_ids"
    decoder = {
        "filename": "model.onnx",
        "head_size": shape.head,
        "hidden_size": shape.width,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "inputs": inputs,
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    model = {
        "type": "llama",
        "context_length": shape.context,
        "vocab_size": shape.vocabulary,
        "eos_token_id": _as_json(form.eos),
        "decoder": decoder,
        **form.config,
    }
    return {"model": model, "search": {"past_present_share_buffer": True}}
