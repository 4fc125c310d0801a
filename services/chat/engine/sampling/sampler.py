"""Chooses the next token of every row. What is chosen for one depends on no other."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.chat.engine.request import Sampling
from services.chat.engine.sampling import blocks
from services.chat.engine.sampling.adjustments import Logits, Row, adjust
from services.chat.engine.sampling.fields import Field, Part, Whole
from services.chat.engine.sampling.logprobs import Logprobs, logprobs_of
from services.chat.engine.sampling.randomness import key_of


@dataclass(frozen=True, slots=True)
class Choice:
    """A token, and how likely it was where that was asked for."""

    token: int
    logprobs: Logprobs | None = None


def try_sample(logits: Iterable[Logits], rows: Sequence[Row]) -> list[Choice | None]:
    """Return a token for each row; None where the logits are not finite.

    Args:
        logits: One array a row, (vocabulary,); nothing is written to it.
        rows: As many.
    """
    return [_try_choose(*each) for each in zip(logits, rows, strict=True)]


def draw(everything: Whole, sampling: Sampling, key: int) -> int:
    """Return one of all tokens, drawn as `sampling` says.

    Temperature and `top_k`, then `top_p` of what they left, then `min_p`, as in transformers.
    Of equal logits at the edge of `top_k` all stay; at the edge of `top_p` those with lower ids.

    All of these leave the tokens before some place in the order of likelihood. So `top_p` needs no
    sorting: the first token of all is the first of those that it leaves if it is one of them, and
    else those are among the tokens before it.

    Source: Holtzman et al. 2019, https://arxiv.org/abs/1904.09751 (top_p); Nguyen et al. 2024,
    https://arxiv.org/abs/2407.01082 (min_p)
    """
    left: Field = everything.largest(sampling.top_k) if sampling.top_k else everything
    field = left.at_least(sampling.min_p) if sampling.min_p else left
    token = field.draw(key)
    if sampling.top_p < 1:
        while not _is_within(ahead := field.likelier(token), sampling.top_p, left):
            field, token = ahead, ahead.draw(key)
    return token


def _is_within(ahead: Part, top_p: float, left: Field) -> bool:
    """Return whether the token behind some others is one of those that `top_p` leaves."""
    mass = ahead.mass()
    return not mass or mass < top_p * left.least_mass() or mass < top_p * left.mass()


def _try_choose(logits: Logits, row: Row) -> Choice | None:
    token = _try_token(adjust(logits, row), row)
    top = row.sampling.top_logprobs
    if token is None or top is None:
        return None if token is None else Choice(token)
    return Choice(token, logprobs_of(logits, token, top))


def _try_token(logits: Logits, row: Row) -> int | None:
    """Return a token; None where logits are not finite, as their largest is none then."""
    if row.sampling.is_greedy:
        token = int(logits.argmax())
        return token if math.isfinite(logits[token]) else None
    largest = blocks.maxima(logits)
    if not math.isfinite(largest.max()):
        return None
    everything = Whole(logits, largest, row.sampling.temperature)
    return draw(everything, row.sampling, key_of(row.seed, row.choice, len(row.answer)))
