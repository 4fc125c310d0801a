"""Blocks of a vocabulary: what is known of a block's largest logit need not be asked of its tokens.

The tokens whose ids are alike modulo `BLOCKS` are a block. So a block is a column of the logits,
and the largest of every block are found as fast as the logits are read.
"""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Values = NDArray[np.float32]

BLOCKS = 8192
"""A vocabulary of fewer tokens has as many blocks as tokens."""


def maxima(logits: Values) -> Values:
    """Return the largest logit of each block."""
    result, rest = _columns(logits)
    if not len(result):
        return rest
    largest: Values = result.max(axis=0)
    np.maximum(largest[: len(rest)], rest, out=largest[: len(rest)])
    return largest


def total(weights: Values) -> float:
    """Return the sum of all weights: few are added in fp32, the sums of blocks in fp64."""
    columns, rest = _columns(weights)
    return float(columns.sum(axis=0).sum(dtype=np.float64) + rest.sum(dtype=np.float64))


def tokens_of(blocks: Ids, vocabulary: int) -> Ids:
    """Return the tokens of some blocks."""
    tokens: Ids = (blocks + np.arange(0, vocabulary, BLOCKS)[:, None]).ravel()
    return tokens[tokens < vocabulary]


def at_least(logits: Values, largest: Values, edge: float) -> Ids:
    """Return the tokens with logits of at least `edge`, ascending.

    Args:
        logits: Of one row.
        largest: Its `maxima`.
        edge: Any number.
    """
    blocks = np.flatnonzero(largest >= edge)
    if len(blocks) > BLOCKS // 16:
        return np.flatnonzero(logits >= edge)
    tokens = tokens_of(blocks, len(logits))
    return tokens[logits[tokens] >= edge]


def largest_tokens(logits: Values, largest: Values, count: int) -> Ids:
    """Return the tokens of the `count` largest logits, and of all that equal the last of them.

    Args:
        logits: Of one row.
        largest: Its `maxima`.
        count: At least 1.
    """
    if count >= len(logits):
        return np.arange(len(logits))
    if count <= len(largest):
        # As many tokens as there are such blocks are at least as large.
        edge = np.partition(largest, -count)[-count]
        tokens = at_least(logits, largest, float(edge))
    else:
        tokens = np.arange(len(logits))
    values = logits[tokens]
    kept: Ids = tokens[values >= np.partition(values, -count)[-count]]
    return kept


def _columns(values: Values) -> tuple[Values, Values]:
    """Return values as (rows, BLOCKS), and those that fill no whole row."""
    whole = len(values) // BLOCKS * BLOCKS
    return values[:whole].reshape(-1, BLOCKS), values[whole:]
