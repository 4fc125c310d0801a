"""Reads a text that arrives in pieces with grammars written as if all of it were there.

A grammar is a generator: it reads, and yields where it needs more text to go on. Whether it got the
text at once or a letter at a time, it takes the same decisions, because it takes none before the
text that is there, or its end, allows no other.
"""

import re
from collections.abc import Generator, Sequence
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""A part of a grammar: yields for more text, returns what it read."""

_SPACE = re.compile(r"[ \t\r\n]*")


class MalformedError(Exception):
    """The text is not what the grammar expects; never leaves the parsers."""


class Reader:
    """A text with a place up to which it is read, and one up to which it is settled.

    What is read but not settled can be read again.
    """

    def __init__(self) -> None:
        self._text = ""
        self._place = 0
        self.is_ended = False
        self.settled_characters = 0
        """How much of the whole text is settled."""

    @property
    def unsettled(self) -> str:
        """What has been read since the last `settle`."""
        return self._text[: self._place]

    @property
    def rest(self) -> str:
        """What is there and not read."""
        return self._text[self._place :]

    def feed(self, text: str) -> None:
        """Add a piece to the text."""
        self._text += text

    def settle(self) -> None:
        """Forget what has been read: it is never read again."""
        self.settled_characters += self._place
        self._text = self.rest
        self._place = 0

    def rewind(self) -> None:
        """Go back to where the text was settled last."""
        self._place = 0

    def read(self, count: int) -> str:
        """Read characters that are there."""
        piece = self._text[self._place : self._place + count]
        self._place += count
        return piece

    def comes(self, literal: str) -> Steps[bool]:
        """Return whether a literal comes next, without reading it."""
        while not self._text.startswith(literal, self._place):
            if self.is_ended or not literal.startswith(self.rest):
                return False
            yield
        return True

    def take(self, literal: str) -> Steps[bool]:
        """Read a literal if it comes next; return whether it did."""
        is_there = yield from self.comes(literal)
        if is_there:
            self._place += len(literal)
        return is_there

    def expect(self, literal: str) -> Steps[None]:
        """Read a literal.

        Raises:
            MalformedError: Something else comes next.
        """
        if not (yield from self.take(literal)):
            raise MalformedError

    def peek(self) -> Steps[str]:
        """Return the next character without reading it; nothing at the end."""
        while self._place == len(self._text) and not self.is_ended:
            yield
        return self._text[self._place : self._place + 1]

    def run(self, pattern: re.Pattern[str], longest: int) -> Steps[str]:
        """Read the characters that match `pattern`, a repeated class.

        Raises:
            MalformedError: There are more than `longest`.
        """
        while match := pattern.match(self._text, self._place):
            if match.end() - self._place > longest:
                raise MalformedError
            if match.end() < len(self._text) or self.is_ended:
                return self.read(match.end() - self._place)
            yield
        return ""

    def skip_space(self) -> Steps[None]:
        """Read the white space that JSON knows."""
        while match := _SPACE.match(self._text, self._place):
            self._place = match.end()
            if self._place < len(self._text) or self.is_ended:
                return
            yield

    def until(self, end: str) -> Steps[str]:
        """Read up to a literal and the literal itself; return what was before it.

        Raises:
            MalformedError: The text ends before.
        """
        start = self._place
        searched = start
        while (found := self._text.find(end, searched)) < 0:
            if self.is_ended:
                raise MalformedError
            searched = max(start, len(self._text) - len(end) + 1)
            yield
        self._place = found + len(end)
        return self._text[start:found]


def overlap(text: str, literals: Sequence[str]) -> int:
    """Return how many characters at the end of `text` may be the beginning of a literal."""
    longest = 0
    for literal in literals:
        for length in range(min(len(literal) - 1, len(text)), longest, -1):
            if text.endswith(literal[:length]):
                longest = length
                break
    return longest
