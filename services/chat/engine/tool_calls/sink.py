"""What grammars write to: numbers the calls, gives them ids, keeps their events in order."""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.chat.engine.events import (
    ContentDelta,
    Event,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallEnd,
    ToolCallStart,
)

Characters = Callable[[int], str]
"""Returns so many random letters and digits."""

Tools = Mapping[str, Mapping[str, Any]]
"""The tools that a caller offers: the JSON schema of the parameters, by name."""

_ALPHABET = string.ascii_letters + string.digits


def random_characters(count: int) -> str:
    """Return letters and digits that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


@dataclass(frozen=True, slots=True)
class IdShape:
    """How the ids of calls look. They come back in the next request, through the template."""

    prefix: str = "call_"
    characters: int = 24


class Sink:
    """The events of one answer."""

    def __init__(self, tools: Tools, ids: IdShape, characters: Characters) -> None:
        self.tools = tools
        self._ids = ids
        self._characters = characters
        self._events = list[Event]()
        self._calls = 0
        self._is_open = False

    @property
    def has_called(self) -> bool:
        """Whether a call has begun in this answer."""
        return self._calls > 0

    def content(self, text: str) -> None:
        """Add words for the caller."""
        if text:
            self._events.append(ContentDelta(text))

    def reasoning(self, text: str) -> None:
        """Add thoughts."""
        if text:
            self._events.append(ReasoningDelta(text))

    def start(self, name: str) -> None:
        """Begin a call."""
        assert not self._is_open, "one call ends before the next begins"
        call_id = self._ids.prefix + self._characters(self._ids.characters)
        self._events.append(ToolCallStart(self._calls, call_id, name))
        self._calls += 1
        self._is_open = True

    def arguments(self, fragment: str) -> None:
        """Add to the arguments of the call that has begun."""
        assert self._is_open, "arguments belong to a call"
        if fragment:
            self._events.append(ToolCallArguments(self._calls - 1, fragment))

    def end(self) -> None:
        """End the call that has begun, if there is one."""
        if self._is_open:
            self._events.append(ToolCallEnd(self._calls - 1))
            self._is_open = False

    def drain(self) -> list[Event]:
        """Return the events since the last time."""
        events, self._events = self._events, []
        return events
