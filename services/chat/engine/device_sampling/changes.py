"""Penalties and biases: as lists of what changes, and as what they do to logits on the device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.device_sampling.nodes import Nodes
from services.chat.engine.request import Sampling
from services.chat.engine.sampling.adjustments import Row

Ids = NDArray[np.int64]
Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Changes:
    """What happens to some logits, each of them once."""

    places: Ids
    """Where they are if all rows stand one after the other, (changes,)."""
    numbers: Numbers
    """The factor of the repetition penalty, what is taken then, and what is added, (3, changes)."""


def is_changed(row: Row) -> bool:
    """Return whether a row has penalties or biases."""
    sampling = row.sampling
    return bool(sampling.logit_bias) or sampling.repetition_penalty != 1 or _is_counted(sampling)


def gather_changes(rows: Sequence[Row], vocabulary: int) -> Changes:
    """Return the changes of rows with logits of (rows, vocabulary)."""
    parts = [_changes_of(row) for row in rows]
    places = [part.places + number * vocabulary for number, part in enumerate(parts)]
    return Changes(np.concatenate(places), np.concatenate([part.numbers for part in parts], axis=1))


def change(nodes: Nodes, logits: str, vocabulary: int) -> str:
    """Return the logits with their changes.

    The inputs of the graph are `changed`, the places, (1, changes), and `changes`, the numbers.
    """
    places = nodes.input("changed", np.int64, [1, "changes"])
    changes = nodes.input("changes", np.float32, [3, "changes"])
    factor, taken, added = nodes.add_many("Split", 3, changes, axis=0, num_outputs=3)
    flat = nodes.add("Reshape", logits, np.array([1, -1]))
    values = nodes.pick(flat, places)
    weaker = nodes.add(
        "Where",
        nodes.add("Greater", values, np.float32(0)),
        nodes.add("Div", values, factor),
        nodes.add("Mul", values, factor),
    )
    changed = nodes.add("Add", nodes.add("Sub", weaker, taken), added)
    flat = nodes.add("ScatterElements", flat, places, changed, axis=1)
    return nodes.add("Reshape", flat, np.array([-1, vocabulary]))


def _changes_of(row: Row) -> Changes:
    """Return the changes of one row; numbers are rounded as `adjustments` does it."""
    sampling = row.sampling
    seen = _ids(*row.prompt, *row.answer) if sampling.repetition_penalty != 1 else _ids()
    counted = _ids(*row.answer) if _is_counted(sampling) else _ids()
    said, counts = np.unique(counted, return_counts=True)
    biased = _ids(*sampling.logit_bias)
    tokens = np.unique(np.concatenate([seen, said, biased]))
    numbers = np.zeros((3, len(tokens)), np.float32)
    numbers[0] = 1
    numbers[0, np.searchsorted(tokens, seen)] = sampling.repetition_penalty
    penalty = sampling.frequency_penalty * counts + sampling.presence_penalty
    numbers[1, np.searchsorted(tokens, said)] = penalty
    numbers[2, np.searchsorted(tokens, biased)] = [*sampling.logit_bias.values()]
    return Changes(tokens, numbers)


def _ids(*tokens: int) -> Ids:
    return np.array(tokens, np.int64)


def _is_counted(sampling: Sampling) -> bool:
    return bool(sampling.frequency_penalty or sampling.presence_penalty)
