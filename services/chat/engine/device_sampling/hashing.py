"""The hash of `sampling.randomness`, computed on the device.

Tokens and keys meet in exclusive ors, which the CUDA provider does not have: see `spread_bits`. A
word's exclusive or with its own shift is linear, so that of a token and that of a key can be taken
apart: those of tokens are tables, those of keys are computed by the caller.

Source: https://github.com/skeeto/hash-prospector (lowbias32);
https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md (what the provider has)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.device_sampling.nodes import Nodes, Value
from services.chat.engine.device_sampling.spread_bits import (
    HALVES,
    Spread,
    Words,
    products,
    spread_byte,
)

PIECES = 8
"""Numbers that a key is handed over in."""

_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B
_HALF = np.uint32(2**16)


def key_pieces(keys: NDArray[np.uint64]) -> Spread:
    """Return the pieces of keys, (..., 8): the bytes of each half, the lowest first."""
    low, high = keys.astype(np.uint32), (keys >> np.uint64(32)).astype(np.uint32)
    words = (_folded(low, 16), _folded(high, 15))
    return np.stack([spread_byte(word, n) for word in words for n in range(4)], axis=-1)


def token_pieces(tokens: Words) -> list[Spread]:
    """Return the pieces of tokens: three bytes, the lowest first; the fourth is 0."""
    assert tokens.max() < 2**24
    return [spread_byte(_folded(tokens, 16), n) for n in range(3)]


def add_hash(nodes: Nodes, tokens: Sequence[Value], keys: Sequence[str]) -> str:
    """Add the hash of tokens with keys, and return it, uint32.

    Args:
        nodes: The graph.
        tokens: Three pieces, which are broadcast with those of keys.
        keys: Eight pieces.
    """
    sums = [nodes.add("Add", *pair) for pair in zip(tokens, keys, strict=False)]
    word = _product(nodes, [*sums, keys[3]], _FIRST)
    word = _product(nodes, _fold_by_15(nodes, word, keys[4:]), _SECOND)
    return _fold_by_16(nodes, word)


def _folded(words: Words, shift: int) -> Words:
    return words ^ words >> np.uint32(shift)


def _product(nodes: Nodes, sums: Sequence[str], factor: int) -> str:
    """Return a word, of which there are the bytes' sums, the lowest first, times a factor."""
    word, *others = (
        nodes.add("Gather", products(place, factor), each) for place, each in enumerate(sums)
    )
    for other in others:
        word = nodes.add("Add", word, other)
    return word


def _fold_by_15(nodes: Nodes, word: str, keys: Sequence[str]) -> list[str]:
    """Return the bytes' sums of `word ^ word >> 15`, and of the key's part of it."""
    high = nodes.cast(nodes.add("Div", word, _HALF), np.int32)
    low = nodes.cast(nodes.add("Mod", word, _HALF), np.int32)
    own = _folded(HALVES, 15)
    shifted = HALVES << np.uint32(1)
    sums = [
        nodes.add("Add", _look_up(nodes, own, n, low), _look_up(nodes, shifted, n, high))
        for n in range(2)
    ]
    sums += [_look_up(nodes, own, n, high) for n in range(2)]
    return [nodes.add("Add", *pair) for pair in zip(sums, keys, strict=True)]


def _fold_by_16(nodes: Nodes, word: str) -> str:
    """Return `word ^ word >> 16`: the higher half stays."""
    low = nodes.add("Mod", word, _HALF)
    halves = [nodes.cast(half, np.int32) for half in (low, nodes.add("Div", word, _HALF))]
    sums = [
        nodes.add("Add", *(_look_up(nodes, HALVES, n, half) for half in halves)) for n in range(2)
    ]
    return nodes.add("Add", nodes.add("Sub", word, low), _product(nodes, sums, 1))


def _look_up(nodes: Nodes, function: Words, place: int, half: str) -> str:
    """Return a byte of a function of halves of words, spread."""
    return nodes.add("Gather", spread_byte(function, place), half)
