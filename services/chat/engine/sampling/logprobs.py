"""How likely the model found a token, and what it would have said instead."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Logprobs:
    """Log probabilities at one place of an answer, by the model's own distribution."""

    token: float
    """Of the token that was chosen."""
    top: tuple[tuple[int, float], ...]
    """The likeliest tokens with theirs, the likeliest first."""


def logprobs_of(logits: NDArray[np.float32], token: int, top: int) -> Logprobs:
    """Return the log probabilities at one place.

    Args:
        logits: Of one row, before anything was done to them.
        token: What was chosen.
        top: How many of the likeliest to tell.
    """
    peak = logits.max()
    total = float(peak) + float(np.log(np.exp(logits - peak).sum(dtype=np.float64)))
    count = min(top, len(logits))
    likeliest = np.argpartition(logits, -count)[-count:] if count else np.array([], np.int64)
    order = likeliest[np.lexsort((likeliest, -logits[likeliest]))]
    return Logprobs(
        float(logits[token]) - total,
        tuple((int(other), float(logits[other]) - total) for other in order),
    )
