"""What callers do to logits before a token is chosen: penalties, biases, grammars."""

from collections.abc import Sequence
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


def adjust(logits: Logits, row: Row) -> Logits:
    """Return the logits with what a row asks for; the same array where it asks for nothing.

    Args:
        logits: Shape (vocabulary,).
        row: Whose they are.
    """
    sampling = row.sampling
    is_penalized = _is_penalized(sampling)
    if row.mask is None and not sampling.logit_bias and not is_penalized:
        return logits
    logits = logits.copy()
    if is_penalized:
        _penalize(logits, row)
    if sampling.logit_bias:
        logits[[*sampling.logit_bias]] += np.array([*sampling.logit_bias.values()], np.float32)
    if row.mask is not None:
        _mask(logits, row.mask)
    return logits


def _is_penalized(sampling: Sampling) -> bool:
    return (
        sampling.repetition_penalty,
        sampling.frequency_penalty,
        sampling.presence_penalty,
    ) != (1, 0, 0)


def _penalize(logits: Logits, row: Row) -> None:
    """Weaken tokens that were there before: by a factor, by how often, and by whether they were.

    Source: Keskar et al. 2019, "CTRL", section 4.1 (repetition);
    https://platform.openai.com/docs/api-reference/parameter-details (frequency and presence)
    """
    sampling = row.sampling
    if sampling.repetition_penalty != 1:
        # A token that is there twice gets the same value twice.
        seen = np.array([*row.prompt, *row.answer], np.int64)
        values = logits[seen]
        factor = np.float32(sampling.repetition_penalty)
        logits[seen] = np.where(values > 0, values / factor, values * factor)
    if sampling.frequency_penalty or sampling.presence_penalty:
        said, counts = np.unique(np.array(row.answer, np.int64), return_counts=True)
        penalty = sampling.frequency_penalty * counts + sampling.presence_penalty
        logits[said] -= penalty.astype(np.float32)


def _mask(logits: Logits, mask: NDArray[np.uint32]) -> None:
    """Forbid what a grammar does not allow, and what stands behind the end of its mask."""
    bits = np.unpackbits(mask.astype("<u4").view(np.uint8), bitorder="little")[: len(logits)]
    # Selecting by a mask that changes at every place is twenty times slower.
    bounds = bits.astype(np.float32)
    bounds -= np.float32(0.5)
    bounds *= np.float32(np.inf)
    np.minimum(logits[: len(bits)], bounds, out=logits[: len(bits)])
    logits[len(bits) :] = -np.inf
