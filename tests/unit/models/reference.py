"""A BERT encoder in plain numpy, one text at a time, in float64: slow, short, and obvious.

Source: Devlin et al. 2018, https://arxiv.org/abs/1810.04805; Vaswani et al. 2017,
https://arxiv.org/abs/1706.03762.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.bert.config import BertConfig

Array = NDArray[np.float64]
Tensors = Mapping[str, NDArray[np.float32]]

TINY = BertConfig(
    vocabulary_size=50,
    max_positions=24,
    segments=2,
    width=32,
    inner_width=64,
    layers=2,
    heads=4,
    epsilon=1e-12,
)
"""Small enough to compute by hand, with more than one of everything."""


def random_tensors(config: BertConfig, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """A checkpoint under Hugging Face's names, of weights that keep states near 1."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, spread: float = 0.3, middle: float = 0.0) -> NDArray[np.float32]:
        return (middle + spread * random.standard_normal(shape)).astype(np.float32)

    width, inner = config.width, config.inner_width
    tensors = {
        "embeddings.word_embeddings.weight": normal(config.vocabulary_size, width),
        "embeddings.position_embeddings.weight": normal(config.max_positions, width),
        "embeddings.token_type_embeddings.weight": normal(config.segments, width),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(config.layers):
        name = f"encoder.layer.{layer}"
        linears = {
            "attention.self.query": (width, width),
            "attention.self.key": (width, width),
            "attention.self.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (inner, width),
            "output.dense": (width, inner),
        }
        for part, shape in linears.items():
            tensors[f"{name}.{part}.weight"] = normal(*shape)
            tensors[f"{name}.{part}.bias"] = normal(shape[0])
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for norm in norms:
        tensors[f"{norm}.weight"] = normal(width, spread=0.1, middle=1.0)
        tensors[f"{norm}.bias"] = normal(width, spread=0.1)
    return tensors


def encode(
    config: BertConfig, tensors: Tensors, ids: list[int], segments: list[int] | None = None
) -> Array:
    """The last layer's states of one unpadded text: (tokens, width)."""
    states = np.stack(
        [
            _row(tensors, "word", token)
            + _row(tensors, "position", position)
            + _row(tensors, "token_type", segment)
            for position, (token, segment) in enumerate(
                zip(ids, segments or [0] * len(ids), strict=True)
            )
        ]
    )
    states = _norm(config, tensors, states, "embeddings.LayerNorm")
    for layer in range(config.layers):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            _linear(tensors, states, f"{name}.attention.self.{part}")
            for part in ("query", "key", "value")
        )
        heads = np.split(np.arange(config.width), config.heads)
        context = np.concatenate(
            [_attend(query[:, head], key[:, head], value[:, head]) for head in heads], axis=1
        )
        update = _linear(tensors, context, f"{name}.attention.output.dense")
        states = _norm(config, tensors, states + update, f"{name}.attention.output.LayerNorm")
        inner = _gelu(_linear(tensors, states, f"{name}.intermediate.dense"))
        update = _linear(tensors, inner, f"{name}.output.dense")
        states = _norm(config, tensors, states + update, f"{name}.output.LayerNorm")
    return states


def _row(tensors: Tensors, table: str, index: int) -> Array:
    row: Array = tensors[f"embeddings.{table}_embeddings.weight"][index].astype(np.float64)
    return row


def _linear(tensors: Tensors, states: Array, name: str) -> Array:
    product: Array = states @ tensors[f"{name}.weight"].T.astype(np.float64)
    shifted: Array = product + tensors[f"{name}.bias"]
    return shifted


def _attend(query: Array, key: Array, value: Array) -> Array:
    scores = query @ key.T / math.sqrt(query.shape[1])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    attended: Array = weights @ value
    return attended


def _gelu(values: Array) -> Array:
    error_function = np.vectorize(math.erf, otypes=[np.float64])
    activated: Array = values / 2 * (1 + error_function(values / math.sqrt(2)))
    return activated


def _norm(config: BertConfig, tensors: Tensors, states: Array, name: str) -> Array:
    centred = states - states.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + config.epsilon)
    scaled: Array = centred / deviation * tensors[f"{name}.weight"]
    shifted: Array = scaled + tensors[f"{name}.bias"]
    return shifted
