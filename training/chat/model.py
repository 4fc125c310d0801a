"""The decoder in torch; it knows no dialogues and no files.

Everything but attention works on a flat list of tokens, so that batches of any row length share
one compiled graph.

Source: https://huggingface.co/docs/transformers/model_doc/qwen3 (the shape and the names of the
weights); https://arxiv.org/abs/2104.09864 (RoPE)
"""

import torch
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
        self._before, self._after, self._attend = Layer.before, Layer.after, plain_attention

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
            attend = self._attend if tokens <= _PLAIN_TOKENS else _fused_attention
            attended = attend(queries, keys, values)
            x = self._after(layer, x, attended.transpose(1, 2).flatten(2).flatten(0, 1))
        return self.norm(x)

    def logits(self, x: Tensor) -> Tensor:
        """Return (tokens, vocabulary) for a stream of (tokens, width)."""
        return functional.linear(x, self.embed_tokens.weight)

    def compile(self) -> None:
        """Compile what layers do; all of them share the graphs."""
        self._before = torch.compile(Layer.before, dynamic=False)
        self._after = torch.compile(Layer.after, dynamic=False)
        self._attend = torch.compile(plain_attention, dynamic=False)


_PLAIN_TOKENS = 192
"""Up to here, plain attention trains faster on a CPU than the fused one."""


def _fused_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(
        queries, keys, values, is_causal=True, enable_gqa=True
    )


def plain_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return causal attention: (rows, heads, tokens, head); keys and values have fewer heads."""
    rows, heads, tokens, head = queries.shape
    key_heads = keys.shape[1]
    queries = queries.reshape(rows * key_heads, -1, head)
    keys, values = (each.reshape(rows * key_heads, tokens, head) for each in (keys, values))
    scores = torch.bmm(queries, keys.mT).view(-1, heads // key_heads, tokens, tokens)
    is_future = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    scores = (scores.float() * head**-0.5).masked_fill(is_future, -1e4)
    shares = scores.softmax(-1).to(values.dtype).view(rows * key_heads, -1, tokens)
    return torch.bmm(shares, values).view(rows, heads, tokens, head)


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
