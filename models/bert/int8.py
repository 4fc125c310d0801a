"""Int8 matrices with fixed activation ranges: a row's result depends on that row alone.

Ranges that are found at run time (DynamicQuantizeMatMul) are those of a whole batch, so that a
text's embedding would depend on which texts travel with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bert.precision import Project
from models.bert.weights import FloatArray
from models.graph import GraphWriter

CODE_LIMIT = 127
"""Largest int8 weight code used; -128 is left out so that the codes are symmetric."""


@dataclass(frozen=True)
class Range:
    """How the states at one entrance become uint8 codes."""

    low: float
    """Least value, at most 0; lower ones are clipped."""

    high: float
    """Greatest value, at least 0; higher ones are clipped."""

    smoothing: FloatArray | None = None
    """Divides each channel first; the weights that follow make up for it. None: by 1.

    Source: SmoothQuant, Xiao et al. 2022, https://arxiv.org/abs/2211.10438 equation 3.
    """

    @property
    def scale(self) -> np.float32:
        """One code step."""
        return np.float32(max(self.high - self.low, 1e-6) / 255)

    @property
    def zero_point(self) -> np.uint8:
        """The code of 0."""
        return np.uint8(round(-self.low / float(self.scale)))

    def smooth(self, states: FloatArray) -> FloatArray:
        """States (tokens, inputs) with every channel divided by its smoothing."""
        return states if self.smoothing is None else states / self.smoothing

    def compensate(self, weight: FloatArray) -> FloatArray:
        """The weight (inputs, outputs) that gives the same product on smoothed states."""
        return weight if self.smoothing is None else weight * self.smoothing[:, None]

    def codes(self, states: FloatArray) -> NDArray[np.uint8]:
        """What QuantizeLinear makes of states that are already smooth."""
        codes = np.rint(states / self.scale) + float(self.zero_point)
        clipped: NDArray[np.uint8] = np.clip(codes, 0, 255).astype(np.uint8)
        return clipped


def quantise_weight(weight: FloatArray) -> tuple[NDArray[np.int8], FloatArray]:
    """Int8 codes (inputs, outputs) and one scale per output: weight is close to codes * scale.

    CPUs without VNNI add the products of two neighbouring inputs in int16, which saturates. The
    scale is therefore large enough that no pair's codes of one sign sum to more than 128, which
    255 times over still fits; on most columns that costs less than half a bit.

    Source: Intel's vpmaddubsw; https://onnxruntime.ai/docs/performance/model-optimizations/
    quantization.html, "When and why do I need to try U8U8?".
    """
    inputs, outputs = weight.shape
    pairs = np.zeros((inputs + inputs % 2, outputs), np.float32)
    pairs[:inputs] = weight
    pairs = pairs.reshape(-1, 2, outputs)  # (input pairs, 2, outputs)
    summed = np.maximum(np.maximum(pairs, 0).sum(axis=1), np.maximum(-pairs, 0).sum(axis=1))
    largest = np.maximum(np.abs(weight).max(axis=0), summed.max(axis=0))
    scale = (np.maximum(largest, 1e-9) / CODE_LIMIT).astype(np.float32)
    return np.rint(weight / scale).astype(np.int8), scale


class Int8:
    """Projections in int8, the rest in float32; padding stands right of the text."""

    opset = 24

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        """Take the range of every entrance, by the name of its states."""
        self._ranges = ranges

    def mask(self, graph: GraphWriter, attention_mask: str) -> str:
        """Real tokens per row, (batch,) int64: cheaper than a bias on every score."""
        axis = graph.constant("mask.axis", np.array([1]))
        return graph.node("ReduceSum", [attention_mask, axis], "lengths", keepdims=0)

    def attend(self, graph: GraphWriter, parts: list[str], mask: str, heads: int, name: str) -> str:
        """ONNX's own operator, which on the CPU outruns ONNX Runtime's MultiHeadAttention."""
        return graph.node(
            "Attention", [*parts, "", "", "", mask], name, q_num_heads=heads, kv_num_heads=heads
        )

    def entrance(self, graph: GraphWriter, states: str) -> Project:
        """Smooth where the range says so, and turn into codes, once for all projections."""
        found = self._ranges[states]
        smooth = states
        if found.smoothing is not None:
            inverse = graph.constant(f"{states}.inverse", np.float32(1) / found.smoothing)
            smooth = graph.node("Mul", [states, inverse], f"{states}.smooth")
        scale = graph.constant(f"{states}.scale", np.array(found.scale))
        zero = graph.constant(f"{states}.zero", np.array(found.zero_point))
        codes = graph.node("QuantizeLinear", [smooth, scale, zero], f"{states}.codes")

        def project(weight: FloatArray, bias: FloatArray, name: str) -> str:
            matrix, scales = quantise_weight(found.compensate(weight))
            inputs = [
                codes,
                graph.constant(f"{name}.weight", matrix),
                scale,
                graph.constant(f"{name}.scale", scales),
                zero,
                "",
                graph.constant(f"{name}.bias", bias),
            ]
            return graph.fused("MatMulIntegerToFloat", inputs, name)

        return project
