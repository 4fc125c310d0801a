"""Draws a token so that hardly anything but its seed decides which.

Each token arrives after its delay divided by its weight, so after a time that is exponential with
its weight as rate; the first one is drawn. Its delay is the token's own, so a weight that differs
in its last bits, as it may when the same row is computed in a batch of another size, hardly ever
changes who is first. Inverting the distribution function would: there each token moves all that
follow.

A group of tokens has a time before which none of them arrives, so most of a vocabulary is never
looked at.

Source: Maddison, Tarlow, Minka 2014, "A* sampling", https://arxiv.org/abs/1411.0030 (Gumbel-max,
bounds of regions); Efraimidis, Spirakis 2006, "Weighted random sampling with a reservoir" (a race)
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.sampling.blocks import Ids, Values
from services.chat.engine.sampling.randomness import delays

_FIRST_LOOK = 128.0
"""How far to look, as a multiple of the earliest bound: about so many groups have earlier ones."""
_FURTHER = 16.0
_ROUNDING = 1 + 1e-5


def first(
    bounds: NDArray[np.float32], members: Callable[[Ids], tuple[Ids, Values]], key: int
) -> int:
    """Return the token that arrives first.

    Args:
        bounds: Times before which nobody arrives, for groups of tokens; some finite.
        members: Returns the tokens of some groups, and their weights.
        key: What decides.
    """
    limit = _FIRST_LOOK * float(bounds.min())
    while True:
        tokens, weights = members(np.flatnonzero(bounds <= limit * _ROUNDING))
        with np.errstate(divide="ignore", over="ignore"):
            times = delays(key, tokens.astype(np.uint32)) / weights
        earliest = times.argmin()
        if times[earliest] <= limit:
            return int(tokens[earliest])
        limit = min(float(times[earliest]), _FURTHER * limit)
