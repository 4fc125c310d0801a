"""Runs a grammar over the text of one answer."""

from collections.abc import Callable

from services.chat.engine.events import Event
from services.chat.engine.reader import Reader, Steps
from services.chat.engine.tool_calls.sink import Sink

Grammar = Callable[[Reader, Sink], Steps[None]]
"""Reads an answer to its end."""


class CallParser:
    """Finds calls of tools in the text of one answer, as it comes.

    What is malformed comes back as content, to the letter, as long as its call has not begun; a
    call begins when its name and the first brace of its arguments are there.
    """

    def __init__(self, grammar: Grammar, sink: Sink) -> None:
        self._reader = Reader()
        self._sink = sink
        self._steps = grammar(self._reader, sink)
        next(self._steps, None)

    def feed(self, text: str) -> list[Event]:
        """Return what is certain by now."""
        self._reader.feed(text)
        next(self._steps, None)
        return self._sink.drain()

    def finish(self) -> list[Event]:
        """Return what is left; a call that was cut short ends where the text does."""
        self._reader.is_ended = True
        next(self._steps, None)
        self._sink.end()
        return self._sink.drain()
