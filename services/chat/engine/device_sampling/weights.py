"""How likely tokens are, and which of them may be drawn, on the device."""

from dataclasses import dataclass

import numpy as np

from services.chat.engine.device_sampling.nodes import Nodes

SHORTLIST = 256
"""How many logits are sorted. The CUDA provider finds so many in one pass over all rows at once,
with lower ids first among equal ones; for more it takes one block of threads a row, and the order
of equal ones is any.

Source: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/providers/cuda/math/
topk_hybrid.cuh, topk_impl.cuh
"""
NO_TOP_P = 2.0
"""A `top_p` that leaves all tokens: no sum of some of them comes near."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What rows ask for, (rows, 1) each."""

    scale: str
    """One over the temperature, float32."""
    min_p: str
    """float32."""
    top_p: str
    """float64; `NO_TOP_P` where all may be drawn."""
    top_k: str
    """int64; the vocabulary's size where all may be drawn."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The greatest logits of each row, sorted."""

    size: int
    """How many."""
    ids: str
    """Tokens, (rows, size)."""
    weights: str
    """As many; 0 for those that may not be drawn."""
    peak: str
    """The greatest logit, (rows, 1)."""
    is_whole: str
    """Whether all that may be drawn are here, (rows, 1)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A token of each row, (rows, 1): only those before it in the order of likelihood are drawn."""

    logit: str
    """float32."""
    id: str
    """int64."""


def weigh(nodes: Nodes, logits: str, peak: str, scale: str) -> str:
    """Return weights: shares of the likeliest token's probability."""
    return nodes.add("Exp", nodes.add("Mul", nodes.add("Sub", logits, peak), scale))


def keep_likely(nodes: Nodes, weights: str, min_p: str) -> str:
    """Return weights with 0 for those that are below `min_p`."""
    return keep(nodes, nodes.add("GreaterOrEqual", weights, min_p), weights)


def keep(nodes: Nodes, condition: str, weights: str) -> str:
    """Return weights with 0 for those that a condition is not true of."""
    return nodes.add("Where", condition, weights, np.float32(0))


def total(nodes: Nodes, weights: str) -> str:
    """Return the sum of each row in fp64, (rows, 1)."""
    return nodes.sum(nodes.cast(weights, np.float64))


def ahead_of(nodes: Nodes, logits: str, bounds: Bounds, vocabulary: int) -> str:
    """Return whether tokens are likelier than one of their row, or as likely with a lower id."""
    is_before = nodes.add("Less", np.arange(vocabulary), bounds.id)
    is_equal = nodes.add("Equal", logits, bounds.logit)
    is_tied = nodes.add("And", is_equal, is_before)
    return nodes.add("Or", nodes.add("Greater", logits, bounds.logit), is_tied)


def add_shortlist(nodes: Nodes, logits: str, limits: Limits, vocabulary: int) -> Shortlist:
    """Return the greatest logits, and the weights of those that may be drawn.

    Args:
        nodes: The graph.
        logits: Shape (rows, vocabulary).
        limits: What rows ask for.
        vocabulary: How many tokens there are.
    """
    size = min(SHORTLIST, vocabulary)
    top, ids = nodes.top(logits, size)
    peak = nodes.column(top, 0)
    last = nodes.add("Sub", nodes.add("Min", limits.top_k, np.int64(size)), np.int64(1))
    is_in_top_k = nodes.add("GreaterOrEqual", top, nodes.pick(top, last))
    left = keep(nodes, is_in_top_k, weigh(nodes, top, peak, limits.scale))
    every = weigh(nodes, logits, peak, limits.scale)
    has_top_k = nodes.add("Less", limits.top_k, np.int64(vocabulary))
    mass = nodes.add("Where", has_top_k, total(nodes, left), total(nodes, every))
    ahead = nodes.add("CumSum", nodes.cast(left, np.float64), np.int32(1), exclusive=1)
    kept = keep(nodes, is_within(nodes, ahead, limits.top_p, mass), left)
    # Nobody behind a token that may not be drawn may be drawn.
    end = nodes.add("Where", has_top_k, *(nodes.column(part, size - 1) for part in (left, kept)))
    is_whole = nodes.add("Equal", end, np.float32(0))
    return Shortlist(size, ids, keep_likely(nodes, kept, limits.min_p), peak, is_whole)


def is_within(nodes: Nodes, ahead: str, top_p: str, mass: str) -> str:
    """Return whether tokens are among those of `top_p`; the first always is.

    Args:
        nodes: The graph.
        ahead: The weight of all before each of them.
        top_p: Shape (rows, 1).
        mass: The weight of all.
    """
    is_first = nodes.add("Equal", ahead, np.float64(0))
    return nodes.add("Or", is_first, nodes.add("Less", ahead, nodes.add("Mul", top_p, mass)))


def count(nodes: Nodes, conditions: str) -> str:
    """Return how many are true in each row, (rows, 1)."""
    return nodes.cast(nodes.sum(nodes.cast(conditions, np.float32)), np.int64)
