"""Exclusive or as a sum: for devices that add, but have no operators on bits.

The bits of a byte are spread to every second bit of a word of 16. Such words add up without carries
from one place to the next, up to three of them, and the lower bit of each place is the exclusive or
of what was added. Sums and tables of 65,536 entries do the rest.
"""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint32]
Spread = NDArray[np.int32]
Words = NDArray[np.uint32]

_BITS = np.arange(8, dtype=np.uint32)
_SPREAD: NDArray[np.int32] = ((np.arange(256)[:, None] >> _BITS & 1) << 2 * _BITS).sum(
    axis=-1, dtype=np.int32
)
HALVES: Words = np.arange(2**16, dtype=np.uint32)
"""Every half of a word, in order: a function of them is its table."""


def spread(values: Bytes) -> Spread:
    """Return the bits of bytes, each moved to twice its place."""
    return _SPREAD[values]


def spread_byte(words: Words, place: int) -> Spread:
    """Return one byte of each word spread; place 0 is the lowest."""
    return spread(words >> np.uint32(8 * place) & np.uint32(0xFF))


def products(place: int, factor: int) -> Words:
    """Return, for every sum, its byte, moved to its place in a word, times a factor (mod 2^32)."""
    bits = HALVES[:, None] >> 2 * _BITS & 1
    collapsed: Words = (bits << _BITS).sum(axis=-1, dtype=np.uint32)
    return (collapsed << np.uint32(8 * place)) * np.uint32(factor)
