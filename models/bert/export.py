"""Both graphs of an encoder: float32, and int8 with ranges found on calibration texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from models.bert.calibration import Survey, choose_range, observe
from models.bert.config import BertConfig
from models.bert.encoder import encoder
from models.bert.int8 import Int8, Range
from models.bert.precision import Float32
from models.bert.stairs import ceiling, widen
from models.bert.weights import BertWeights


def export_float32(config: BertConfig, weights: BertWeights, version: str) -> onnx.ModelProto:
    """The encoder as its authors trained it."""
    return encoder(config, weights, Float32(), version)


def export_int8(
    config: BertConfig,
    weights: BertWeights,
    sequences: Sequence[NDArray[np.int64]],
    version: str,
) -> onnx.ModelProto:
    """The encoder in int8, close to float32 on texts like the calibration sequences (tokens,)."""
    survey = Survey()
    states = observe(encoder(config, weights, survey, version), survey.entrances, sequences)
    inner = [f"layer.{layer}.inner" for layer in range(config.layers)]
    peaks = [states[name].max(axis=0) for name in inner]
    ranges = {
        name: choose_range(states[name], np.concatenate(matrices, axis=1))
        for name, matrices in survey.entrances.items()
        if name not in inner
    }
    for name, peak in zip(inner, peaks, strict=True):
        ranges[name] = Range(float(states[name].min()), ceiling(peak))
    return encoder(*widen(config, weights, peaks), Int8(ranges), version)
