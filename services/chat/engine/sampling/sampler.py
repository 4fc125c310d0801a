"""Chooses the next token of every row. What is chosen for one depends on no other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.chat.engine.sampling.adjustments import Logits, Row, adjust
from services.chat.engine.sampling.candidates import candidates
from services.chat.engine.sampling.logprobs import Logprobs, logprobs_of
from services.chat.engine.sampling.race import draw
from services.chat.engine.sampling.randomness import key_of


@dataclass(frozen=True, slots=True)
class Choice:
    """A token, and how likely it was where that was asked for."""

    token: int
    logprobs: Logprobs | None = None


def try_sample(logits: Logits, rows: Sequence[Row]) -> list[Choice | None]:
    """Return a token for each row; None where the logits are not finite.

    Args:
        logits: Shape (rows, vocabulary); nothing is written to it.
        rows: One for each.
    """
    adjusted = adjust(logits, rows)
    likeliest = adjusted.argmax(axis=1)  # of NaN, where there is one
    is_finite = np.isfinite(adjusted[np.arange(len(rows)), likeliest])
    return [
        _choose(row, logits[place], adjusted[place], int(likeliest[place]))
        if is_finite[place]
        else None
        for place, row in enumerate(rows)
    ]


def _choose(row: Row, logits: Logits, adjusted: Logits, likeliest: int) -> Choice:
    sampling = row.sampling
    if sampling.is_greedy:
        token = likeliest
    else:
        key = key_of(row.seed, row.choice, len(row.answer))
        token = draw(*candidates(adjusted, sampling), key)
    if sampling.top_logprobs is None:
        return Choice(token)
    return Choice(token, logprobs_of(logits, token, sampling.top_logprobs))
