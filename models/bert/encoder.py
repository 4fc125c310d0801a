"""The encoder's graph: token ids in, the last layer's states out.

Source: Devlin et al. 2018, https://arxiv.org/abs/1810.04805 section 3; Vaswani et al. 2017,
https://arxiv.org/abs/1706.03762 section 3, with a layer normalisation after each sum.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from models.bert.config import BertConfig
from models.bert.precision import Precision
from models.bert.weights import BertWeights
from models.graph import GraphWriter


def encoder(
    config: BertConfig, weights: BertWeights, precision: Precision, version: str
) -> onnx.ModelProto:
    """Draw a BERT encoder.

    Inputs `input_ids`, `attention_mask`, `token_type_ids`: (batch, tokens) int64. Output
    `last_hidden_state`: (batch, tokens, width) float32; a real token's row does not depend on
    what stands where the mask is 0.
    """
    return EncoderWriter(config, weights, precision).write(version)


class EncoderWriter:
    """Writes one encoder."""

    def __init__(self, config: BertConfig, weights: BertWeights, precision: Precision) -> None:
        self._graph = GraphWriter("bert")
        self._config = config
        self._weights = weights
        self._precision = precision

    def write(self, version: str) -> onnx.ModelProto:
        """The whole graph; a writer writes once."""
        graph, layers = self._graph, self._config.layers
        shape: list[str | int] = ["batch", "tokens"]
        ids, mask, segments = (
            graph.input(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        )
        mask = self._precision.mask(graph, mask)
        states = self._embed(ids, segments)
        for layer in range(layers):
            output = f"layer.{layer}.states" if layer < layers - 1 else "last_hidden_state"
            states = self._attend(states, mask, layer)
            states = self._feed_forward(states, layer, output)
        graph.output(states, TensorProto.FLOAT, [*shape, self._config.width])
        return graph.model(self._precision.opset, version)

    def _embed(self, ids: str, segments: str) -> str:
        """Sum of word, segment and position embeddings, normalised."""
        graph, config = self._graph, self._config
        rows = {
            "word": config.vocabulary_size,
            "token_type": config.segments,
            "position": config.max_positions,
        }
        word, segment, position = (
            graph.constant(
                table,
                self._weights.tensor(f"embeddings.{table}_embeddings.weight", size, config.width),
            )
            for table, size in rows.items()
        )
        tokens = graph.node("Shape", [ids], "tokens", start=1, end=2)
        first = graph.constant("first", np.array([0]))
        parts = [
            graph.node("Gather", [word, ids], "words"),
            graph.node("Gather", [segment, segments], "segments"),
            graph.node("Slice", [position, first, tokens, first], "positions"),
        ]
        return self._add_and_norm(parts, "embeddings.LayerNorm", "embeddings")

    def _attend(self, states: str, mask: str, layer: int) -> str:
        """Self-attention, added to its input and normalised."""
        width, name = self._config.width, f"layer.{layer}"
        source = f"encoder.{name}.attention"
        project = self._precision.entrance(self._graph, states)
        parts = [
            project(*self._weights.linear(f"{source}.self.{part}", width, width), f"{name}.{part}")
            for part in ("query", "key", "value")
        ]
        context = self._precision.attend(
            self._graph, parts, mask, self._config.heads, f"{name}.context"
        )
        project = self._precision.entrance(self._graph, context)
        update = project(
            *self._weights.linear(f"{source}.output.dense", width, width), f"{name}.attention"
        )
        return self._add_and_norm(
            [update, states], f"{source}.output.LayerNorm", f"{name}.attended"
        )

    def _feed_forward(self, states: str, layer: int, output: str) -> str:
        """Two projections with the exact (erf) GELU between, added to their input, normalised."""
        config, name = self._config, f"layer.{layer}"
        source = f"encoder.{name}"
        project = self._precision.entrance(self._graph, states)
        inner = project(
            *self._weights.linear(f"{source}.intermediate.dense", config.width, config.inner_width),
            f"{name}.sums",
        )
        inner = self._graph.fused("Gelu", [inner], f"{name}.inner")
        project = self._precision.entrance(self._graph, inner)
        update = project(
            *self._weights.linear(f"{source}.output.dense", config.inner_width, config.width),
            f"{name}.update",
        )
        return self._add_and_norm([update, states], f"{source}.output.LayerNorm", output)

    def _add_and_norm(self, parts: list[str], norm: str, output: str) -> str:
        """The parts' sum, normalised per token.

        `Sum` and not `Add`: ONNX Runtime would fuse `Add` with what follows into its
        SkipLayerNormalization, which on the CPU is seven times slower than the two apart.
        """
        scale, shift = (
            self._graph.constant(
                f"{norm}.{part}", self._weights.tensor(f"{norm}.{part}", self._config.width)
            )
            for part in ("weight", "bias")
        )
        total = self._graph.node("Sum", parts, f"{output}.sum")
        return self._graph.node(
            "LayerNormalization",
            [total, scale, shift],
            output,
            axis=-1,
            epsilon=self._config.epsilon,
        )
