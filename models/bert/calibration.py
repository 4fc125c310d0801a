"""Finds the int8 ranges of an encoder by watching its float32 graph read some texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from models.bert.int8 import Range, quantise_weight
from models.bert.precision import Float32, Project
from models.bert.weights import FloatArray
from models.graph import GraphWriter

STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Tried shares of the difficulty that smoothing moves from activations to weights.

Source: SmoothQuant, Xiao et al. 2022, https://arxiv.org/abs/2211.10438 section 5.
"""

WORTH_A_PASS = 0.3
"""Smoothing reads and writes the states once more; it stays where no more error than this share
is left."""

SAMPLE_ROWS = 1024
"""Tokens on which the error of a projection is measured."""


@dataclass
class Survey(Float32):
    """Float32 that notes every entrance and the weights behind it."""

    entrances: dict[str, list[FloatArray]] = field(default_factory=dict)

    def entrance(self, graph: GraphWriter, states: str) -> Project:
        """Note the states; the projection returned notes its weight."""
        weights = self.entrances.setdefault(states, [])
        write = super().entrance(graph, states)

        def project(weight: FloatArray, bias: FloatArray, name: str) -> str:
            weights.append(weight)
            return write(weight, bias, name)

        return project


def observe(
    model: onnx.ModelProto, names: Iterable[str], sequences: Iterable[NDArray[np.int64]]
) -> dict[str, FloatArray]:
    """What the named values are on each sequence (tokens,): all rows (rows, channels) of it."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    wanted = list(names)
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows: dict[str, list[FloatArray]] = {name: [] for name in wanted}
    for sequence in sequences:
        ids = sequence[None]  # (1, tokens)
        feeds = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
        for name, value in zip(wanted, session.run(wanted, feeds), strict=True):
            rows[name].append(value[0])
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def choose_range(states: FloatArray, weight: FloatArray) -> Range:
    """The range of states (rows, inputs) whose int8 product with weight errs least."""
    peaks = np.maximum(np.abs(states).max(axis=0), 1e-4)
    weight_peaks = np.maximum(np.abs(weight).max(axis=1), 1e-4)
    step = max(1, len(states) // SAMPLE_ROWS)
    sample = states[::step]
    plain = _range(states, None)
    candidates = []
    for strength in STRENGTHS:
        smoothing = peaks**strength / weight_peaks ** (1 - strength)
        smoothing /= np.exp(np.log(smoothing).mean())
        found = _range(states, smoothing.astype(np.float32))
        candidates.append((product_error(found, sample, weight), found))
    error, smooth = min(candidates, key=lambda candidate: candidate[0])
    return smooth if error < WORTH_A_PASS * product_error(plain, sample, weight) else plain


def product_error(found: Range, states: FloatArray, weight: FloatArray) -> float:
    """Mean square of what int8 adds to states @ weight."""
    matrix, scales = quantise_weight(found.compensate(weight))
    codes = found.codes(found.smooth(states)).astype(np.float32) - float(found.zero_point)
    product = (codes * found.scale) @ (matrix * scales)
    return float(np.square(product - states @ weight).mean())


def _range(states: FloatArray, smoothing: FloatArray | None) -> Range:
    smooth = states if smoothing is None else states / smoothing
    return Range(min(float(smooth.min()), 0.0), max(float(smooth.max()), 0.0), smoothing)
