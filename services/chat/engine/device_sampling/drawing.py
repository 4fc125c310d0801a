"""Draws a token of each row: `race`, on the device.

All tokens of a row are looked at: unlike a processor, a device gains little by leaving some out.
"""

from dataclasses import dataclass

import numpy as np

from services.chat.engine.device_sampling.hashing import PIECES, add_hash, token_pieces
from services.chat.engine.device_sampling.nodes import Nodes, Value
from services.chat.engine.sampling.blocks import BLOCKS
from services.chat.engine.sampling.randomness import SHARERS

_LEADERS = 32
"""Of so many tokens with the earliest times by fp32 the first one by fp64 is taken; hardly ever is
it not the first by fp32 already."""


@dataclass(frozen=True, slots=True)
class _Bits:
    """What is random about tokens: one word of a token's block, and one of its own."""

    block: str
    own: str
    is_first: str
    """Whether the token is the first of its block."""


def draw(nodes: Nodes, ids: str | None, weights: str, *, size: int, vocabulary: int) -> str:
    """Return the token of each row that arrives first, (rows, 1).

    The input of the graph is `keys`, (2, rows, 8): pieces of the keys of blocks and of tokens.

    Args:
        nodes: The graph.
        ids: Tokens, (rows, size); None for all of the vocabulary.
        weights: As many, not all 0.
        size: How many there are.
        vocabulary: How many tokens there are.
    """
    bits = _add_bits(nodes, ids, vocabulary)
    scores = nodes.add("Div", weights, _rough_delays(nodes, bits))
    _, leaders = nodes.top(scores, min(_LEADERS, size))
    few = _Bits(*(nodes.pick(value, leaders) for value in (bits.block, bits.own, bits.is_first)))
    pace = nodes.cast(nodes.pick(weights, leaders), np.float64)
    times = nodes.add("Div", _delays(nodes, few), pace)
    _, first = nodes.top(nodes.add("Neg", times), 1)
    place = nodes.pick(leaders, first)
    return place if ids is None else nodes.pick(ids, place)


def _add_bits(nodes: Nodes, ids: str | None, vocabulary: int) -> _Bits:
    tokens = np.arange(vocabulary, dtype=np.uint32)
    sharers = tokens // BLOCKS
    tables = token_pieces(np.stack([tokens % BLOCKS, tokens])[:, None])  # (2, 1, vocabulary)
    keys = nodes.input("keys", np.int32, [2, "rows", PIECES])
    pieces: list[Value] = [*tables]
    sharer: Value = sharers
    if ids is not None:
        pieces = [nodes.add("Gather", table[:, 0], ids, axis=1) for table in tables]
        sharer = nodes.add("Gather", sharers, ids)
    key = nodes.add_many("Split", PIECES, keys, axis=2, num_outputs=PIECES)
    both = add_hash(nodes, pieces, key)
    block, own = (nodes.add("Gather", both, np.int64(n), axis=0) for n in range(2))
    first = nodes.add("Mod", block, np.uint32(SHARERS))
    return _Bits(block, own, nodes.add("Equal", first, sharer))


def _rough_delays(nodes: Nodes, bits: _Bits) -> str:
    """Return delays in fp32; where a block's is long, less than that."""
    later = nodes.add("Neg", nodes.add("Log", _number(nodes, bits.own, 32, np.float32)))
    later = nodes.add("Where", bits.is_first, np.float32(0), later)
    number = _number(nodes, _block_number(nodes, bits), 26, np.float32)
    return nodes.add("Add", nodes.add("Mul", number, np.float32(1 / SHARERS)), later)


def _delays(nodes: Nodes, bits: _Bits) -> str:
    """Return delays: `randomness.delays`."""
    later = nodes.add("Neg", nodes.add("Log", _number(nodes, bits.own, 32, np.float64)))
    later = nodes.add("Where", bits.is_first, np.float64(0), later)
    number = _number(nodes, _block_number(nodes, bits), 26, np.float64)
    block = nodes.add("Mul", _log_of_rest(nodes, number), np.float64(-1 / SHARERS))
    return nodes.add("Add", block, later)


def _block_number(nodes: Nodes, bits: _Bits) -> str:
    return nodes.add("Div", bits.block, np.uint32(SHARERS))


def _number(nodes: Nodes, bits: str, count: int, dtype: type[np.floating]) -> str:
    """Return a number between 0 and 1 from so many bits."""
    centred = nodes.add("Add", nodes.cast(bits, dtype), dtype(0.5))
    return nodes.add("Mul", centred, dtype(2.0**-count))


def _log_of_rest(nodes: Nodes, number: str) -> str:
    """Return log(1 - number), without loss for small numbers.

    Source: Goldberg 1991, "What every computer scientist should know about floating-point
    arithmetic", theorem 4
    """
    rest = nodes.add("Sub", np.float64(1), number)
    lost = nodes.add("Div", number, nodes.add("Sub", np.float64(1), rest))
    return nodes.add("Mul", nodes.add("Log", rest), lost)
