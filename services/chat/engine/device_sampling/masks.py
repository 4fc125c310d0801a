"""Grammars' masks as a table of bytes, and as what they do to logits on the device."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.device_sampling.nodes import Nodes

Words = NDArray[np.uint32]

_BITS = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
"""The bits of every byte, the lowest first."""


@dataclass(frozen=True, slots=True)
class Masks:
    """The masks of some rows, each row's where `places` says."""

    table: NDArray[np.uint8]
    """Shape (masks, bytes): bit `t % 8` of byte `t // 8` allows a token; the first one all."""
    places: list[int]


def gather_masks(masks: Sequence[Words | None], vocabulary: int) -> Masks:
    """Return the masks of rows; nothing is allowed behind the end of one."""
    given = [mask for mask in masks if mask is not None]
    table = np.zeros((1 + len(given), _bytes(vocabulary)), np.uint8)
    table[0] = 0xFF
    for row, mask in zip(table[1:], given, strict=True):
        known = mask.astype("<u4").view(np.uint8)[: len(row)]
        row[: len(known)] = known
    numbers = itertools.count(1)
    return Masks(table, [0 if mask is None else next(numbers) for mask in masks])


def forbid(nodes: Nodes, logits: str, places: str, vocabulary: int) -> str:
    """Return the logits with -inf for tokens that are not allowed.

    The input of the graph is `masks`, the table.

    Args:
        nodes: The graph.
        logits: Shape (rows, vocabulary).
        places: Which mask each row has, (rows, 1).
        vocabulary: How many tokens there are.
    """
    size = _bytes(vocabulary)
    table = nodes.input("masks", np.uint8, ["masks", size])
    codes = nodes.cast(nodes.add("Gather", table, places, axis=0), np.int32)
    bits = nodes.add("Gather", _BITS, codes)  # (rows, 1, bytes, 8)
    allowed = nodes.add("Reshape", bits, np.array([-1, 8 * size]))
    if vocabulary % 8:
        start, end, axis = (np.array([number]) for number in (0, vocabulary, 1))
        allowed = nodes.add("Slice", allowed, start, end, axis)
    return nodes.add("Where", allowed, logits, np.float32(-np.inf))


def _bytes(vocabulary: int) -> int:
    return -(-vocabulary // 8)
