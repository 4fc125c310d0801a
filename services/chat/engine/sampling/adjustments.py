"""What callers do to logits before a token is chosen: penalties, biases, grammars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.request import Sampling

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one sequence when its next token is chosen."""

    sampling: Sampling
    prompt: Sequence[int]
    answer: Sequence[int]
    seed: int
    choice: int
    """Its place among the choices of its request."""
    mask: NDArray[np.uint32] | None = None
    """Which tokens a grammar allows: bit `t % 32` of word `t // 32`; None allows all."""


def adjust(logits: Logits, rows: Sequence[Row]) -> Logits:
    """Return the logits with what the rows ask for; the same array where they ask for nothing.

    Args:
        logits: Shape (rows, vocabulary).
        rows: One for each.
    """
    if not any(map(_asks, rows)):
        return logits
    logits = logits.copy()
    _penalize(logits, rows)
    _bias(logits, rows)
    _mask(logits, rows)
    return logits


def _asks(row: Row) -> bool:
    return bool(row.mask is not None or row.sampling.logit_bias or _is_penalized(row.sampling))


def _is_penalized(sampling: Sampling) -> bool:
    return (
        sampling.repetition_penalty,
        sampling.frequency_penalty,
        sampling.presence_penalty,
    ) != (1, 0, 0)


def _penalize(logits: Logits, rows: Sequence[Row]) -> None:
    """Weaken tokens that were there before: by a factor, by how often, and by whether they were.

    Source: Keskar et al. 2019, "CTRL", section 4.1 (repetition);
    https://platform.openai.com/docs/api-reference/parameter-details (frequency and presence)
    """
    for place, row in enumerate(rows):
        sampling = row.sampling
        if not _is_penalized(sampling):
            continue
        if sampling.repetition_penalty != 1:
            seen = np.unique(np.array([*row.prompt, *row.answer], np.int64))
            values = logits[place, seen]
            factor = np.float32(sampling.repetition_penalty)
            logits[place, seen] = np.where(values > 0, values / factor, values * factor)
        said, counts = np.unique(np.array(row.answer, np.int64), return_counts=True)
        penalty = sampling.frequency_penalty * counts + sampling.presence_penalty
        logits[place, said] -= penalty.astype(np.float32)


def _bias(logits: Logits, rows: Sequence[Row]) -> None:
    entries = [
        (place, token, bias)
        for place, row in enumerate(rows)
        for token, bias in row.sampling.logit_bias.items()
    ]
    if entries:
        places, tokens, biases = zip(*entries, strict=True)
        logits[list(places), list(tokens)] += np.array(biases, np.float32)


def _mask(logits: Logits, rows: Sequence[Row]) -> None:
    """Forbid what grammars do not allow, and what stands behind the end of their masks."""
    for place, mask in _masks(rows):
        bits = np.unpackbits(mask.astype("<u4").view(np.uint8), bitorder="little")
        known = min(len(bits), logits.shape[1])
        logits[place, :known][bits[:known] == 0] = -np.inf
        logits[place, known:] = -np.inf


def _masks(rows: Sequence[Row]) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    for place, row in enumerate(rows):
        if row.mask is not None:
            yield place, row.mask
