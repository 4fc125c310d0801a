"""How an encoder's matrices and attention are computed: the role, and its float32 player."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from onnx import TensorProto

from models.bert.weights import FloatArray
from models.graph import GraphWriter

Project = Callable[[FloatArray, FloatArray, str], str]
"""Writes states @ weight + bias under a name: weight (inputs, outputs), bias (outputs,)."""


class Precision(Protocol):
    """Writes the parts of an encoder whose operators depend on the number format."""

    opset: int
    """The version of the ONNX operators that the parts need."""

    def mask(self, graph: GraphWriter, attention_mask: str) -> str:
        """What `attend` wants to know of the mask (batch, tokens) int64; written once."""

    def attend(self, graph: GraphWriter, parts: list[str], mask: str, heads: int, name: str) -> str:
        """Scaled dot-product attention of query, key, value: (batch, tokens, width) each."""

    def entrance(self, graph: GraphWriter, states: str) -> Project:
        """Make states ready for the projections that follow, all of which share the work."""


class Float32:
    """Everything in float32, for any mask, on CPU and CUDA."""

    opset = 17

    def mask(self, graph: GraphWriter, attention_mask: str) -> str:
        """The mask itself, (batch, tokens) int32."""
        return graph.node("Cast", [attention_mask], "mask", to=TensorProto.INT32)

    def attend(self, graph: GraphWriter, parts: list[str], mask: str, heads: int, name: str) -> str:
        """ONNX Runtime's fused operator, which CPU and CUDA have had for long."""
        return graph.fused("MultiHeadAttention", [*parts, "", mask], name, num_heads=heads)

    def entrance(self, graph: GraphWriter, states: str) -> Project:
        """Nothing to make ready."""

        def project(weight: FloatArray, bias: FloatArray, name: str) -> str:
            matrix = graph.constant(f"{name}.weight", weight)
            product = graph.node("MatMul", [states, matrix], f"{name}.product")
            return graph.node("Add", [product, graph.constant(f"{name}.bias", bias)], name)

        return project
