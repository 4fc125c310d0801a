"""Random numbers that depend on nothing but their place, so that a seed gives one answer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.sampling.blocks import BLOCKS

Numbers = NDArray[np.float32]
Tokens = NDArray[np.uint32]
Delays = NDArray[np.float64]

SHARERS = 64
"""Tokens of a block; those beyond the end of the vocabulary have delays that nobody asks for."""
MOST_TOKENS = BLOCKS * SHARERS

_BLOCK = np.uint32(BLOCKS - 1)
_BLOCK_BITS = np.uint32(BLOCKS.bit_length() - 1)
_SHARER = np.uint32(SHARERS - 1)
_SHARER_BITS = np.uint32(SHARERS.bit_length() - 1)
_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def key_of(seed: int, choice: int, place: int) -> int:
    """Return the 64 bits that decide one token of one answer.

    They are computed from the arguments alone: no state, so nothing else in a batch moves them.

    Args:
        seed: Of the request.
        choice: Which of its answers.
        place: Which token of the answer, from 0.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64);
    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (counters for states)
    """
    return derive(derive(_mix(seed), choice), place)


def delays(key: int, tokens: Tokens) -> Delays:
    """Return how late each token comes: exponential with mean 1, whichever others are asked for.

    The first of a block's tokens comes as late as the block, the others a delay of their own
    later: an exponential delay that is not over yet has all of itself before it.
    """
    places = np.stack([tokens & _BLOCK, tokens])
    blocks, own = _hash([key, derive(key, 0)], places)
    later = -np.log((own + 0.5) * 2**-32)
    later[tokens >> _BLOCK_BITS == blocks & _SHARER] = 0
    result: Delays = -np.log1p((blocks >> _SHARER_BITS) * -(2**-26) - 2**-27) / SHARERS + later
    return result


def least_delays(key: int, tokens: Tokens) -> Numbers:
    """Return what the delays of these tokens' blocks are never below, but for their last bits.

    Instead of -log(1 - u) it is u: that is less, and takes no logarithm.
    """
    (blocks,) = _hash([key], (tokens & _BLOCK)[None])
    numbers: Numbers = (blocks >> _SHARER_BITS).astype(np.float32)
    numbers += np.float32(0.5)
    numbers *= np.float32(2**-26 / SHARERS)
    return numbers


def _hash(keys: Sequence[int], places: Tokens) -> Tokens:
    """Return 32 bits for each place; places are (keys, n).

    Source: https://github.com/skeeto/hash-prospector (lowbias32), keyed before both products
    """
    halves = np.array(keys, np.uint64).view(np.uint32).reshape(-1, 2)  # low, high
    bits = places ^ halves[:, :1]
    shifted = bits >> np.uint32(16)
    bits ^= shifted
    bits *= np.uint32(0x7FEB352D)
    bits ^= halves[:, 1:]
    bits ^= np.right_shift(bits, np.uint32(15), out=shifted)
    bits *= np.uint32(0x846CA68B)
    bits ^= np.right_shift(bits, np.uint32(16), out=shifted)
    return bits


def derive(key: int, place: int) -> int:
    """Return a key for one of the things that a key decides."""
    return _mix(key + (place + 1) * _GOLDEN)


def _mix(value: int) -> int:
    value &= _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)
