"""How likely the model found a token, and what it would have said instead."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.sampling import blocks


@dataclass(frozen=True, slots=True)
class Logprobs:
    """Log probabilities at one place of an answer, by the model's own distribution."""

    token: float
    """Of the token that was chosen."""
    top: tuple[tuple[int, float], ...]
    """The likeliest tokens with theirs, the likeliest first."""


def logprobs_of(logits: NDArray[np.float32], token: int, top: int) -> Logprobs:
    """Return the log probabilities at one place; NaN where the logits are not finite.

    Args:
        logits: Of one row, before anything was done to them.
        token: What was chosen.
        top: How many of the likeliest to tell.
    """
    largest = blocks.maxima(logits)
    peak = largest.max()
    if not math.isfinite(peak):
        return Logprobs(math.nan, ())
    weights = logits - peak
    np.exp(weights, out=weights)
    whole = float(peak) + float(np.log(blocks.total(weights)))
    likeliest = blocks.largest_tokens(logits, largest, top) if top else np.array([], np.int64)
    order = likeliest[np.lexsort((likeliest, -logits[likeliest]))][:top]
    return Logprobs(
        float(logits[token]) - whole,
        tuple((int(other), float(logits[other]) - whole) for other in order),
    )
