"""The decoder in torch; it knows no dialogues and no files.

Everything but attention works on a flat list of tokens, so that batches of any row length share
one compiled graph.

Source: https://huggingface.co/docs/transformers/model_doc/qwen3 (the shape and the names of the
weights); https://arxiv.org/abs/2104.09864 (RoPE)
"""

import torch
import torch._dynamo.config as dynamo
from torch import Tensor, nn
from torch.nn import functional

from training.chat.config import Architecture


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head
        self.q_proj = nn.Linear(shape.width, queries, bias=False)
        self.k_proj = nn.Linear(shape.width, keys, bias=False)
        self.v_proj = nn.Linear(shape.width, keys, bias=False)
        self.o_proj = nn.Linear(queries, shape.width, bias=False)
        self.q_norm = nn.RMSNorm(shape.head, shape.norm_epsilon)
        self.k_norm = nn.RMSNorm(shape.head, shape.norm_epsilon)
        self.head = shape.head

    def project(self, x: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each (tokens, heads, head)."""
        queries, keys, values = (
            projection(x).unflatten(-1, (-1, self.head))
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        queries = _rotated(self.q_norm(queries.float()), cosine, sine)
        keys = _rotated(self.k_norm(keys.float()), cosine, sine)
        return queries.to(values.dtype), keys.to(values.dtype), values


class FeedForward(nn.Module):
    """A gated feed-forward.

    Source: https://arxiv.org/abs/2002.05202 (SwiGLU)
    """

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down_proj = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (tokens, width)."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Attention and feed-forward, each on a normalised copy of the stream."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.width, shape.norm_epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.width, shape.norm_epsilon)
        self.mlp = FeedForward(shape)

    def before(self, x: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what attention reads."""
        return self.self_attn.project(self.input_layernorm(x), cosine, sine)

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """Return the stream behind this layer."""
        x = x + self.self_attn.o_proj(attended)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Token ids to the stream that the head reads; the head is the embedding, transposed."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, shape.norm_epsilon)
        cosine, sine = _rotations(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self.apply(_initialise)
        # Called through these, so that they can be compiled once for all layers.
        self._before, self._after, self._attend = Layer.before, Layer.after, causal_attention

    def forward(self, ids: Tensor) -> Tensor:
        """Return the normalised stream.

        Args:
            ids: (rows, tokens), padded on the right.

        Returns:
            (rows * tokens, width)
        """
        rows, tokens = ids.shape
        cosine, sine = (
            table[:tokens, None].repeat(rows, 1, 1) for table in (self.cosine, self.sine)
        )
        x = self.embed_tokens(ids.flatten())
        for layer in self.layers:
            parts = self._before(layer, x, cosine, sine)
            queries, keys, values = (
                part.unflatten(0, (rows, tokens)).transpose(1, 2) for part in parts
            )
            attended = self._attend(queries, keys, values)
            x = self._after(layer, x, attended.transpose(1, 2).flatten(2).flatten(0, 1))
        return self.norm(x)

    def logits(self, x: Tensor) -> Tensor:
        """Return (tokens, vocabulary) for a stream of (tokens, width)."""
        return functional.linear(x, self.embed_tokens.weight)

    def compile(self) -> None:
        """Compile what layers do; all of them share the graphs, attention one for each length."""
        dynamo.recompile_limit = _MOST_LENGTHS
        self._before = torch.compile(Layer.before, dynamic=False)
        self._after = torch.compile(Layer.after, dynamic=False)
        self._attend = torch.compile(causal_attention, dynamic=False)


_MOST_LENGTHS = 32
_BLOCK_TOKENS = 128
"""Queries that attend together: each block to all keys up to its end, and to none behind it."""


def causal_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return causal attention: (rows, heads, tokens, head); keys and values have fewer heads.

    On CPUs it trains two to three times faster than torch's fused attention: its products are few
    and large, and half of them are left out.
    """
    rows, heads, tokens, head = queries.shape
    groups = rows * keys.shape[1]
    queries = queries.reshape(groups, -1, tokens, head)
    keys, values = (each.reshape(groups, tokens, head) for each in (keys, values))
    block = _BLOCK_TOKENS if tokens > 2 * _BLOCK_TOKENS else _BLOCK_TOKENS // 2
    blocks = [
        _block(queries[:, :, start : start + block], keys[:, :end], values[:, :end], start)
        for start in range(0, tokens, block)
        for end in [min(start + block, tokens)]
    ]
    return torch.cat(blocks, dim=2).view(rows, heads, tokens, head)


def _block(queries: Tensor, keys: Tensor, values: Tensor, start: int) -> Tensor:
    """Return the attention of a block of queries that begins at a place.

    Args:
        queries: (groups, heads, block, head)
        keys: (groups, start + block, head)
        values: As the keys.
        start: Place of the first query.
    """
    groups, heads, block, head = queries.shape
    scores = torch.bmm(queries.reshape(groups, -1, head), keys.mT)
    places = torch.arange(keys.shape[1])
    is_future = places > places[start:, None]
    scores = scores.view(groups, heads, block, -1).float() * head**-0.5
    shares = scores.masked_fill(is_future, -1e4).softmax(-1).to(values.dtype)
    return torch.bmm(shares.view(groups, heads * block, -1), values).view(queries.shape)


def _rotations(shape: Architecture) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of every position, each (positions, head)."""
    powers = torch.arange(0, shape.head, 2) / shape.head
    angles = torch.outer(torch.arange(shape.context_tokens), shape.rope_theta**-powers)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def _rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate the halves of every head by its position: x (tokens, heads, head)."""
    left, right = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-right, left], dim=-1) * sine


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.03)
