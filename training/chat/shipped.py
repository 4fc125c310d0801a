"""Begins with a model folder that ships: its weights as a checkpoint, without an optimizer.

Whoever goes on with the training needs no other file. Weights of int8 come back within half a
step of their block, which the first steps of a training smooth out.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md (MatMulNBits)
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from training.chat.config import Architecture

STEPS = "training_steps"
"""Where the metadata of a graph tells how long it was trained."""
_ZERO = 128
"""What stands for zero where a graph gives no zero points, in 8 bits."""
_BITS, _SCALES = "_Q8", "_scales"


def read_folder(folder: Path) -> dict[str, Any]:
    """Return the checkpoint of a folder that `export` wrote in int8."""
    model = onnx.load(folder / "model.onnx")
    stored = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    told = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]
    shape = _shape(told, len(stored[f"{_theirs(0)}mlp.up_proj.MatMul.weight{_BITS}"]))
    weights = {"embed_tokens.weight": stored["model.embed_tokens.weight"]}
    for layer in range(shape.layers):
        weights |= _layer(stored, layer, shape)
    weights["norm.weight"] = stored[f"{_theirs(shape.layers)}final_norm_layernorm.weight"]
    return {
        "shape": asdict(shape),
        "step": 0,
        "steps_before": sum(int(e.value) for e in model.metadata_props if e.key == STEPS),
        "tokenizer": (folder / "tokenizer.json").read_text(encoding="utf-8"),
        "average": {name: _tensor(each) for name, each in weights.items()},
    }


def _shape(told: dict[str, Any], hidden: int) -> Architecture:
    decoder = told["decoder"]
    return Architecture(
        vocabulary=told["vocab_size"],
        width=decoder["hidden_size"],
        layers=decoder["num_hidden_layers"],
        heads=decoder["num_attention_heads"],
        kv_heads=decoder["num_key_value_heads"],
        head=decoder["head_size"],
        hidden=hidden,
        context_tokens=told["context_length"],
    )


def _theirs(layer: int) -> str:
    return f"model.layers.{layer}."


def _layer(
    stored: dict[str, NDArray[Any]], layer: int, shape: Architecture
) -> dict[str, NDArray[Any]]:
    """Return the weights of one layer under the names of `model.Decoder`."""
    theirs = _theirs(layer)
    queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head
    fused = _matrix(stored, f"{theirs}attn.qkv_proj.MatMul.weight")
    named = {
        "self_attn.q_proj.weight": fused[:queries],
        "self_attn.k_proj.weight": fused[queries : queries + keys],
        "self_attn.v_proj.weight": fused[queries + keys :],
        "self_attn.o_proj.weight": _matrix(stored, f"{theirs}attn.o_proj.MatMul.weight"),
    }
    for part in ("gate_proj", "up_proj", "down_proj"):
        named[f"mlp.{part}.weight"] = _matrix(stored, f"{theirs}mlp.{part}.MatMul.weight")
    for part in ("q_norm", "k_norm"):
        named[f"self_attn.{part}.weight"] = stored[f"{theirs}attn.{part}.layernorm.weight"]
    for part in ("input_layernorm", "post_attention_layernorm"):
        named[f"{part}.weight"] = stored[f"{theirs}{part}.weight"]
    return {f"layers.{layer}.{name}": each for name, each in named.items()}


def _matrix(stored: dict[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    """Return a matrix (out, in) from its blocks of int8: (out, blocks, 32), a scale each."""
    blocks, scales = stored[name + _BITS], stored[name + _SCALES]
    values = (blocks.astype(np.float32) - _ZERO) * scales[..., None]
    return np.asarray(values.reshape(len(blocks), -1), np.float32)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))
