"""Neurons that fire far beyond all others, laid out as stairs of neurons with a small range.

BERTs grow a lone feed-forward neuron per layer that answers [CLS] or [SEP] with, say, 25 where
all others stay under 6. In eight bits its range would cost every other neuron two bits. A uint8
code saturates, though, and GELU(x) is 0 far below its knee and x above it, so that with a
ceiling c

    GELU(x) = min(GELU(x), c) + min(GELU(x - c), c) + min(GELU(x - 2c), c) + ...

but for at most 0.17 close to a step. Such neurons are either silent or far beyond, seldom on a
step; and copies of a neuron with shifted biases need no operator that was not there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.bert.config import BertConfig
from models.bert.weights import BertWeights, FloatArray

GAP = 1.6
"""A neuron is apart when it fires this many times as high as the next one."""

MOST_APART = 4
"""Neurons per layer that may be apart."""

HEADROOM = 1.1
"""The stairs reach this many times as high as was seen."""

ALIGNMENT = 16
"""The layer's width grows by a multiple of this, as matrix kernels like it."""


def ceiling(peaks: FloatArray) -> float:
    """The highest peak (neurons,) of those that are not apart."""
    falling = np.sort(peaks)[::-1]
    apart = 0
    for rank in range(min(MOST_APART, len(falling) - 1)):
        if falling[rank] > GAP * falling[rank + 1]:
            apart = rank + 1
    return float(falling[apart])


def widen(
    config: BertConfig, weights: BertWeights, peaks: Sequence[FloatArray]
) -> tuple[BertConfig, BertWeights]:
    """An encoder with the same answers, whose neurons may saturate at their layer's ceiling.

    Args:
        config: of the encoder.
        weights: of the encoder.
        peaks: per layer, the highest value of every neuron after GELU, (inner_width,).
    """
    steps = [_steps(layer, ceiling(layer)) for layer in peaks]
    longest = max(len(neurons) for neurons, _ in steps)
    added = -(-longest // ALIGNMENT) * ALIGNMENT
    if not added:
        return config, weights
    changed: dict[str, FloatArray] = {}
    for layer, (neurons, shifts) in enumerate(steps):
        name = f"encoder.layer.{layer}"
        first, bias = weights.linear(f"{name}.intermediate.dense", config.width, config.inner_width)
        second, _ = weights.linear(f"{name}.output.dense", config.inner_width, config.width)
        room = added - len(neurons)
        changed[f"{name}.intermediate.dense.weight"] = np.pad(
            np.concatenate([first, first[:, neurons]], axis=1), ((0, 0), (0, room))
        ).T
        changed[f"{name}.intermediate.dense.bias"] = np.pad(
            np.concatenate([bias, bias[neurons] - shifts]), (0, room)
        )
        changed[f"{name}.output.dense.weight"] = np.pad(
            np.concatenate([second, second[neurons]]), ((0, room), (0, 0))
        ).T
    return replace(config, inner_width=config.inner_width + added), weights.replaced(changed)


def _steps(peaks: FloatArray, top: float) -> tuple[NDArray[np.intp], FloatArray]:
    """The neurons to repeat, once per stair, and how far down each copy is shifted."""
    neurons: list[int] = []
    shifts: list[float] = []
    for neuron in np.flatnonzero(peaks > top):
        stairs = int(np.ceil(HEADROOM * peaks[neuron] / top))
        neurons += [int(neuron)] * (stairs - 1)
        shifts += [top * stair for stair in range(1, stairs)]
    return np.array(neurons, np.intp), np.array(shifts, np.float32)
