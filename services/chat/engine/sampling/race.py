"""Draws a token so that hardly anything but its seed decides which."""

import numpy as np

from services.chat.engine.sampling.candidates import Ids, Weights
from services.chat.engine.sampling.randomness import uniforms


def draw(ids: Ids | None, weights: Weights, key: int) -> int:
    """Return a token with a probability that is proportional to its weight.

    Each token arrives after a time that is exponential with its weight as rate; the first one is
    drawn. Its number is the token's own, so a weight that differs in its last bits, as it may when
    the same row is computed in a batch of another size, hardly ever changes who is first. Inverting
    the distribution function would: there each token moves all that follow.

    Args:
        ids: Tokens, None for all of them.
        weights: As many, not all zero.
        key: What decides.

    Source: Maddison, Tarlow, Minka 2014, https://arxiv.org/abs/1411.0030 (Gumbel-max);
    Efraimidis, Spirakis 2006, "Weighted random sampling with a reservoir" (as a race)
    """
    tokens = np.arange(len(weights), dtype=np.uint32) if ids is None else ids.astype(np.uint32)
    numbers = uniforms(key, tokens)
    # A time is -log(1 - number) / weight, and never less than number / weight: logarithms are
    # needed only for those whom the bound lets win.
    with np.errstate(divide="ignore", over="ignore"):
        bounds = numbers / weights
    first = bounds.argmin()
    latest = -np.log1p(-np.float64(numbers[first])) / np.float64(weights[first])
    close = np.flatnonzero(bounds <= latest * (1 + 1e-6))
    times = -np.log1p(-numbers[close].astype(np.float64)) / weights[close].astype(np.float64)
    return int(tokens[close[times.argmin()]])
