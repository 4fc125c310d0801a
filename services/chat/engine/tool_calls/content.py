"""The words around calls: finds the marks with which calls begin."""

import re
from collections.abc import Callable, Sequence

from services.chat.engine.reader import MalformedError, Reader, Steps, overlap
from services.chat.engine.tool_calls.sink import Sink

Block = Callable[[str], Steps[None]]
"""Reads what follows a mark; is told which mark it was."""


def read_content(
    reader: Reader, sink: Sink, marks: Sequence[str], read_block: Block
) -> Steps[None]:
    """Pass words on up to the end, and give what follows a mark to `read_block`.

    What turns out to be no call is content, its mark included. White space before a mark belongs
    to it, and so does all that is between calls or behind the last one.

    Args:
        reader: The text.
        sink: Takes the words.
        marks: What calls begin with.
        read_block: Raises MalformedError where there is no call.
    """
    pattern = re.compile("|".join(map(re.escape, marks)))
    while (mark := (yield from _next_mark(reader, sink, marks, pattern))) is not None:
        opening = reader.unsettled
        settled = reader.settled_characters
        try:
            yield from read_block(mark)
            reader.settle()
        except MalformedError:
            reader.rewind()
        sink.end()
        if reader.settled_characters == settled:
            sink.content(reader.read(len(opening)))
            reader.settle()


def _next_mark(
    reader: Reader, sink: Sink, marks: Sequence[str], pattern: re.Pattern[str]
) -> Steps[str | None]:
    """Read up to the next mark and the mark itself, unsettled; None at the end of the text."""
    has_words = not sink.has_called
    while True:
        rest = reader.rest
        found = pattern.search(rest)
        if found:
            words = len(rest[: found.start()].rstrip())
        elif reader.is_ended:
            words = len(rest) if has_words or rest.strip() else 0
        else:
            words = len(rest[: len(rest) - overlap(rest, marks)].rstrip())
        if words:
            has_words = True
            sink.content(reader.read(words))
            reader.settle()
        if found:
            reader.read(found.end() - words)
            return found[0]
        if reader.is_ended:
            return None
        yield
