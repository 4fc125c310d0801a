"""What an answer is made of, as its text comes: words, thoughts, calls of tools."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ContentDelta:
    """More of what the caller reads."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model thinks before it speaks."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """A call begins; its name is known."""

    index: int
    """Place of the call in the answer, from 0."""
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallArguments:
    """More of a call's arguments."""

    index: int
    fragment: str
    """All fragments of a call joined are the JSON text as the model wrote it."""


@dataclass(frozen=True, slots=True)
class ToolCallEnd:
    """Nothing more comes for a call, which may be cut short where the answer is."""

    index: int


Event = ContentDelta | ReasoningDelta | ToolCallStart | ToolCallArguments | ToolCallEnd


class Parser(Protocol):
    """Reads the text of one answer; where that is cut into pieces, events are cut, no more."""

    def feed(self, text: str) -> list[Event]:
        """Return what is certain by now."""

    def finish(self) -> list[Event]:
        """Return what is left, as the text ends here."""
