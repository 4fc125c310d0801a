"""The lines of many programs on one stream, each behind its program's name."""

from collections.abc import Callable, Iterable
from itertools import cycle
from typing import TextIO

OWN_NAME = "switchboard"
"""Stands before the supervisor's own lines."""

_COLOURS = ("36", "32", "35", "33", "34")
_OWN_COLOUR = "1"
"""ANSI: bold for us, then cyan, green, magenta, yellow, blue. Source: ECMA-48, 8.3.117 (SGR)."""


class Journal:
    """Writes `name | line`, in colours where they can be seen.

    Once the stream takes no more (a closed pipe, a terminal that is gone) it says so one time and
    writes nothing.
    """

    def __init__(
        self,
        stream: TextIO,
        names: Iterable[str],
        *,
        coloured: bool = False,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        everyone = [OWN_NAME, *names]
        width = max(map(len, everyone))
        colours = dict(zip(everyone[1:], cycle(_COLOURS), strict=False))
        self._prefixes = {
            name: _prefix(name.ljust(width), colours.get(name, _OWN_COLOUR), coloured)
            for name in everyone
        }
        self._stream = stream
        self._on_lost = on_lost
        self._lost = False

    def writer(self, name: str) -> Callable[[str], None]:
        """Return what writes one line of the program `name`."""
        prefix = self._prefixes[name]
        return lambda line: self._write(f"{prefix}{line}\n")

    def say(self, text: str) -> None:
        """Write a line of our own."""
        self._write(f"{self._prefixes[OWN_NAME]}{text}\n")

    def show(self, text: str) -> None:
        """Write a text of our own that is no log line, such as a table."""
        self._write(text)

    def _write(self, text: str) -> None:
        if self._lost:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._lost = True
            self._on_lost()


def _prefix(name: str, colour: str, coloured: bool) -> str:
    return f"\x1b[{colour}m{name} |\x1b[0m " if coloured else f"{name} | "
