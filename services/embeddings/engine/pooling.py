"""From token states to one vector a text: pure functions of states and lengths.

Rows are right-padded, so a row's real states are its first `lengths[row]`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Lengths = NDArray[np.int64]
Mode = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def pool(states: Floats, lengths: Lengths, modes: Sequence[Mode]) -> Floats:
    """Pool the states of each row by every mode, side by side.

    Args:
        states: Shape (batch, tokens, width).
        lengths: Real tokens of each row, shape (batch,), each at least 1.
        modes: The modes, in the order in which their vectors are joined.

    Returns:
        Shape (batch, width x modes), float32.
    """
    vectors = [_POOLERS[mode](states, lengths) for mode in modes]
    return vectors[0] if len(vectors) == 1 else np.concatenate(vectors, axis=1)


def normalize(vectors: Floats) -> Floats:
    """Scale each row to unit length; a row of zeros stays as it is."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Floats = vectors / np.maximum(norms, np.float32(1e-12))
    return result


def _mask(states: Floats, lengths: Lengths) -> Floats:
    tokens = np.arange(states.shape[1])
    mask: Floats = (tokens < lengths[:, None]).astype(np.float32)  # (batch, tokens)
    return mask


def _column(lengths: Lengths) -> Floats:
    return lengths[:, None].astype(np.float32)


def _sum(states: Floats, weights: Floats) -> Floats:
    total: Floats = np.matmul(weights[:, None, :], states)[:, 0, :]
    return total


def _mean(states: Floats, lengths: Lengths) -> Floats:
    return _sum(states, _mask(states, lengths) / _column(lengths))


def _mean_sqrt_len(states: Floats, lengths: Lengths) -> Floats:
    roots: Floats = np.sqrt(_column(lengths))
    return _sum(states, _mask(states, lengths) / roots)


def _weighted_mean(states: Floats, lengths: Lengths) -> Floats:
    """Weigh each state by its place, from 1. Source: Muennighoff 2022 (SGPT), section 3.1."""
    weights = _mask(states, lengths) * np.arange(1, states.shape[1] + 1, dtype=np.float32)
    return _sum(states, weights / weights.sum(axis=1, keepdims=True))


def _max(states: Floats, lengths: Lengths) -> Floats:
    hidden = np.where(_mask(states, lengths)[:, :, None] > 0, states, np.float32(-np.inf))
    result: Floats = hidden.max(axis=1)
    return result


def _first(states: Floats, _lengths: Lengths) -> Floats:
    return states[:, 0, :]


def _last(states: Floats, lengths: Lengths) -> Floats:
    result: Floats = states[np.arange(len(lengths)), lengths - 1]
    return result


_POOLERS: dict[Mode, Callable[[Floats, Lengths], Floats]] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
"""In the order in which sentence-transformers joins them.

Source: https://sbert.net/docs/package_reference/sentence_transformer/modules.html (Pooling)
"""

MODES: tuple[Mode, ...] = tuple(_POOLERS)
