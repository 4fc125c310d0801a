"""A tiny network in Llama's manner, in plain numpy, one text at a time, in float64.

`decoder_graph` has the same network as ONNX, `decoder_folder` a model folder around it. None of
them knows project code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Shape:
    """A network in Llama's manner."""

    vocabulary: int = 67
    width: int = 48
    inner_width: int = 80
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head: int = 16
    context: int = 64
    theta: float = 10_000.0
    epsilon: float = 1e-5
    window: int | None = None
    """How many tokens each one sees, itself among them; None: all before it."""


TINY = Shape()
LLAMA_NAMES = {
    "model.embed_tokens.weight": "embed",
    "model.norm.weight": "norm",
    "lm_head.weight": "lm_head",
    **{
        f"model.layers.{layer}.{theirs}.weight": f"{layer}.{ours}"
        for layer in range(8)
        for theirs, ours in {
            "input_layernorm": "attention_norm",
            "post_attention_layernorm": "inner_norm",
            "self_attn.q_proj": "query",
            "self_attn.k_proj": "key",
            "self_attn.v_proj": "value",
            "self_attn.o_proj": "output",
            "mlp.gate_proj": "gate",
            "mlp.up_proj": "up",
            "mlp.down_proj": "down",
        }.items()
    },
}
"""Hugging Face's names of the weights, and those here."""


def random_weights(shape: Shape, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights (out, in) that keep states near 1 and make logits differ clearly."""
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        return (rng.normal(size=(rows, columns)) / np.sqrt(columns)).astype(np.float32)

    def norm() -> NDArray[np.float32]:
        return (1 + 0.1 * rng.normal(size=shape.width)).astype(np.float32)

    queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head
    weights = {
        "embed": rng.normal(size=(shape.vocabulary, shape.width)).astype(np.float32),
        "norm": norm(),
        "lm_head": 3 * matrix(shape.vocabulary, shape.width),
    }
    for layer in range(shape.layers):
        weights |= {
            f"{layer}.attention_norm": norm(),
            f"{layer}.inner_norm": norm(),
            f"{layer}.query": matrix(queries, shape.width),
            f"{layer}.key": matrix(keys, shape.width),
            f"{layer}.value": matrix(keys, shape.width),
            f"{layer}.output": matrix(shape.width, queries),
            f"{layer}.gate": matrix(shape.inner_width, shape.width),
            f"{layer}.up": matrix(shape.inner_width, shape.width),
            f"{layer}.down": matrix(shape.width, shape.inner_width),
        }
    return weights


def llama_weights(tensors: Weights) -> dict[str, NDArray[np.float32]]:
    """Return a checkpoint under the names here; a head that is not there is the embedding."""
    weights = {LLAMA_NAMES[name]: value for name, value in tensors.items()}
    return {"lm_head": weights["embed"], **weights}


def rotations(shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines and sines of every place: (context, head / 2) each."""
    speeds = shape.theta ** (-np.arange(0, shape.head, 2) / shape.head)
    angles = np.arange(shape.context)[:, None] * speeds
    return np.cos(angles), np.sin(angles)


def oracle_logits(shape: Shape, weights: Weights, tokens: Sequence[int]) -> NDArray[np.float64]:
    """The logits after every token of one text: (tokens, vocabulary).

    Source: Touvron et al. 2023, https://arxiv.org/abs/2302.13971; Su et al. 2021,
    https://arxiv.org/abs/2104.09864.
    """
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    group = shape.heads // shape.kv_heads

    def normed(states: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return states / np.sqrt((states**2).mean(-1, keepdims=True) + shape.epsilon) * w[name]

    def turned(heads: NDArray[np.float64]) -> NDArray[np.float64]:
        cos, sin = (table[: len(tokens), None] for table in rotations(shape))
        left, right = np.split(heads, 2, axis=-1)
        return np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)

    states = w["embed"][list(tokens)]  # (tokens, width)
    for n in range(shape.layers):
        inputs = normed(states, f"{n}.attention_norm")
        query = turned((inputs @ w[f"{n}.query"].T).reshape(-1, shape.heads, shape.head))
        key = turned((inputs @ w[f"{n}.key"].T).reshape(-1, shape.kv_heads, shape.head))
        value = (inputs @ w[f"{n}.value"].T).reshape(-1, shape.kv_heads, shape.head)
        mixed = np.zeros_like(query)
        for head in range(shape.heads):
            scores = query[:, head] @ key[:, head // group].T / np.sqrt(shape.head)
            scores[np.triu_indices(len(tokens), 1)] = -np.inf
            if shape.window is not None:
                scores[np.tril_indices(len(tokens), -shape.window)] = -np.inf
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            mixed[:, head] = shares / shares.sum(-1, keepdims=True) @ value[:, head // group]
        states = states + mixed.reshape(len(tokens), -1) @ w[f"{n}.output"].T
        inputs = normed(states, f"{n}.inner_norm")
        gate = inputs @ w[f"{n}.gate"].T
        inner = gate / (1 + np.exp(-gate)) * (inputs @ w[f"{n}.up"].T)
        states = states + inner @ w[f"{n}.down"].T
    logits: NDArray[np.float64] = normed(states, "norm") @ w["lm_head"].T
    return logits


def oracle_greedy(shape: Shape, weights: Weights, prompt: Sequence[int], count: int) -> list[int]:
    """The `count` likeliest next tokens, one after the other."""
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(oracle_logits(shape, weights, tokens)[-1].argmax()))
    return tokens[len(prompt) :]
