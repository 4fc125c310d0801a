"""Random numbers that depend on nothing but their place, so that a seed gives one answer."""

import numpy as np
from numpy.typing import NDArray

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_LARGEST = np.float32(1 - 2**-24)


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
    answer = _mix(_mix(seed) + (choice + 1) * _GOLDEN)
    return _mix(answer + (place + 1) * _GOLDEN)


def uniforms(key: int, tokens: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return a number above 0 and below 1 for each token, whichever others are asked for.

    Source: https://github.com/skeeto/hash-prospector (lowbias32), keyed before both products
    """
    bits = tokens ^ np.uint32(key & 0xFFFFFFFF)
    shifted = bits >> np.uint32(16)
    bits ^= shifted
    bits *= np.uint32(0x7FEB352D)
    bits ^= np.uint32(key >> 32)
    bits ^= np.right_shift(bits, np.uint32(15), out=shifted)
    bits *= np.uint32(0x846CA68B)
    bits ^= np.right_shift(bits, np.uint32(16), out=shifted)
    numbers = bits.astype(np.float32)
    numbers += np.float32(0.5)
    numbers *= np.float32(2**-32)
    return np.minimum(numbers, _LARGEST, out=numbers)


def _mix(value: int) -> int:
    value &= _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)
