"""What runs a decoder: tokens and places in, logits out. It knows no requests and no text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.device_sampling.device_logits import DeviceLogits

Logits = NDArray[np.float32]
SomeLogits = Logits | DeviceLogits
"""Logits on the host, or where the decoder runs."""


@dataclass(frozen=True, slots=True)
class Row:
    """One more token of one sequence."""

    slot: int
    token: int
    start: int
    """Its place: how many tokens of the sequence the slot holds already."""


class Runner(Protocol):
    """A decoder with memory for some sequences; one thread at a time uses it."""

    @property
    def slots(self) -> int:
        """How many sequences it holds."""

    @property
    def vocabulary(self) -> int:
        """How many logits there are."""

    @property
    def capacity_tokens(self) -> int:
        """How many tokens each of them may have."""

    def prefill(self, slot: int, tokens: Sequence[int], start: int) -> SomeLogits:
        """Read tokens into a slot that holds `start` already; return logits (1, vocabulary)."""

    def score(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens as `prefill` does; return logits after each of them, (tokens, vocabulary)."""

    def decode(self, rows: Sequence[Row]) -> SomeLogits:
        """Read a token into each of several slots; return logits (rows, vocabulary)."""

    def copy(self, source: int, slot: int, tokens: int) -> None:
        """Make a slot begin with the first tokens of another one."""
