"""Which tokens may be drawn, and how likely each is."""

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.request import Sampling

Ids = NDArray[np.int64]
Weights = NDArray[np.float32]


def candidates(logits: NDArray[np.float32], sampling: Sampling) -> tuple[Ids | None, Weights]:
    """Return the tokens that may be drawn, and their weights: shares of the likeliest one's.

    Temperature and `top_k`, then `top_p` of what they left, then `min_p`, as in transformers.
    Of equal logits at the edge of `top_k` all stay; at the edge of `top_p` those with lower ids.

    Args:
        logits: Of one row, at least one finite; -inf is never drawn.
        sampling: How it is sampled; not greedy.

    Returns:
        Token ids, None for all of them in order, and as many weights.

    Source: Holtzman et al. 2019, https://arxiv.org/abs/1904.09751 (top_p); Nguyen et al. 2024,
    https://arxiv.org/abs/2407.01082 (min_p)
    """
    ids: Ids | None = None
    if 0 < sampling.top_k < len(logits):
        edge = np.partition(logits, -sampling.top_k)[-sampling.top_k]
        ids = np.flatnonzero(logits >= edge)
        logits = logits[ids]
    weights = logits - logits.max()
    weights /= np.float32(sampling.temperature)
    np.exp(weights, out=weights)
    if sampling.top_p < 1:
        kept = _nucleus(weights, sampling.top_p)
        ids = kept if ids is None else ids[kept]
        weights = weights[kept]
    if sampling.min_p > 0:
        kept = np.flatnonzero(weights >= np.float32(sampling.min_p))
        ids = kept if ids is None else ids[kept]
        weights = weights[kept]
    return ids, weights


def _nucleus(weights: Weights, top_p: float) -> Ids:
    """Return the places of the likeliest tokens that together have `top_p`, at least one.

    Tokens below (1 - top_p) / n of the whole have less than 1 - top_p together, so none of them
    is needed: only the others are sorted, and by value alone, which is ten times faster than
    sorting places.
    """
    total = float(weights.sum(dtype=np.float64))
    floor = total * (1 - top_p) / len(weights)
    falling = np.sort(weights[weights >= np.float32(floor * (1 - 1e-6))])[::-1]
    sums = np.cumsum(falling, dtype=np.float64)
    count = min(int(np.searchsorted(sums, top_p * total)) + 1, len(falling))
    edge = falling[count - 1]
    kept = np.flatnonzero(weights >= edge)
    surplus = len(kept) - count
    if surplus:
        of_edge = np.flatnonzero(weights[kept] == edge)
        kept = np.delete(kept, of_edge[-surplus:])
    return kept
