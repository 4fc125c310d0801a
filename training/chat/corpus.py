"""Batches without end: dialogues as token ids, in rows of about one length."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.chat.author import Author
from training.chat.dialogue import Dialogue
from training.chat.dialogues import draw_dialogue
from training.chat.heldout import is_held_out
from training.chat.prompts import Prompts

LENGTHS = (64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024)
"""The row lengths that batches have; few, as each is compiled for."""

IGNORED = -100
"""The target of what is not to be learned, as torch has it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one length, padded on the right."""

    ids: NDArray[np.int64]
    """(rows, tokens)"""
    targets: NDArray[np.int64]
    """(rows, tokens): the token after each, or IGNORED where it is not the assistant's."""


Row = tuple[list[int], list[int]]
"""Token ids, and what each is followed by."""

Draw = Callable[[Author], Dialogue]


class Corpus:
    """Turns drawn dialogues into rows."""

    def __init__(self, tokenizer: Tokenizer, seed: str, draw: Draw = draw_dialogue) -> None:
        self._tokenizer = tokenizer
        self._draw = draw
        self._author = Author(Random(seed))  # noqa: S311
        self._prompts = Prompts()

    def batches(self, tokens: int) -> Iterator[Batch]:
        """Draw dialogues for ever; a batch leaves as soon as its rows are full.

        Args:
            tokens: The most of a batch, rows times length.
        """
        waiting: dict[int, list[Row]] = defaultdict(list)
        while True:
            ids, targets = self.row()
            length = next((each for each in LENGTHS if len(ids) <= each), None)
            if length is None:
                continue
            waiting[length].append((ids, targets))
            if len(waiting[length]) == tokens // length:
                yield _batch(waiting.pop(length), length)

    def row(self) -> Row:
        """Return the ids of one dialogue and what each is followed by."""
        ids: list[int] = []
        learned: list[bool] = []
        for text, is_answer in self._prompts.pieces(self._drawn()):
            piece = self._tokenizer.encode(text, add_special_tokens=False).ids
            ids += piece
            learned += [is_answer] * len(piece)
        targets = [
            after if is_learned else IGNORED
            for after, is_learned in zip(ids[1:], learned[1:], strict=True)
        ]
        return ids[:-1], targets

    def _drawn(self) -> Dialogue:
        """Draw a dialogue that does not ask what is held out."""
        while is_held_out(dialogue := self._draw(self._author)):
            pass
        return dialogue


def _batch(rows: list[Row], length: int) -> Batch:
    ids = np.zeros((len(rows), length), np.int64)
    targets = np.full((len(rows), length), IGNORED, np.int64)
    for place, (row_ids, row_targets) in enumerate(rows):
        ids[place, : len(row_ids)] = row_ids
        targets[place, : len(row_targets)] = row_targets
    return Batch(ids, targets)
