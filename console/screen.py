"""The terminal, or the pipe in its place, that tables are drawn for."""

import re
from typing import TextIO

from rich.console import Console, RenderableType

PIPE_COLUMNS = 200
"""Width where there is no terminal: wide enough that nothing is folded."""

_TRAILING_SPACE = re.compile(r" +((\x1b\[0m)?)$", re.MULTILINE)


class Screen:
    """Draws what rich can draw, in colours where they can be seen (and `NO_COLOR` is not set)."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        if not self._console.is_terminal:
            self._console.width = PIPE_COLUMNS

    @property
    def coloured(self) -> bool:
        """Whether colours are seen."""
        return self._console.is_terminal and not self._console.no_color

    def draw(self, part: RenderableType) -> str:
        """Return what the part looks like here; the lines end with their last character."""
        with self._console.capture() as capture:
            self._console.print(part)
        return _TRAILING_SPACE.sub(r"\1", capture.get())
