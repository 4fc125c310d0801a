"""JSON values in a text that is still arriving, found by their brackets and quotes.

Source: https://www.rfc-editor.org/rfc/rfc8259
"""

import json
import re

from services.chat.engine.reader import MalformedError, Reader, Steps
from services.chat.engine.tool_calls.sink import Sink

_IN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]]')
_SCALAR = re.compile(r"[^\s,:{}\[\]\"]*")
_LONGEST_SCALAR = 64


class Extent:
    """How far a JSON object, list or string goes."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False
        self.is_complete = False

    def scan(self, text: str) -> int:
        """Return how many characters of the next piece belong to the value."""
        place = 0
        while place < len(text) and not self.is_complete:
            if self._is_escaped:
                self._is_escaped = False
                place += 1
                continue
            found = (_IN_STRING if self._is_in_string else _OUTSIDE).search(text, place)
            if found is None:
                return len(text)
            place = found.end()
            self._step(found[0])
        return place

    def _step(self, mark: str) -> None:
        match mark:
            case "\\":
                self._is_escaped = True
                return
            case '"':
                self._is_in_string = not self._is_in_string
            case "{" | "[":
                self._depth += 1
            case _:
                self._depth -= 1
        self.is_complete = self._depth == 0 and not self._is_in_string


def read_string(reader: Reader) -> Steps[str]:
    """Read a JSON string; return what it says.

    Raises:
        MalformedError: There is none.
    """
    if (yield from reader.peek()) != '"':
        raise MalformedError
    written = yield from _read_extent(reader)
    try:
        value: str = json.loads(written, strict=False)
    except ValueError:
        raise MalformedError from None
    return value


def read_value(reader: Reader) -> Steps[str]:
    """Read any JSON value; return it as it is written.

    Raises:
        MalformedError: There is none.
    """
    if (yield from reader.peek()) in {"{", "[", '"'}:
        return (yield from _read_extent(reader))
    scalar = yield from reader.run(_SCALAR, _LONGEST_SCALAR)
    if not scalar:
        raise MalformedError
    return scalar


def pass_object(reader: Reader, sink: Sink, name: str) -> Steps[None]:
    """Begin a call and pass the JSON object that comes next on as its arguments, piece by piece.

    Raises:
        MalformedError: No object comes next; then no call has begun.
    """
    if (yield from reader.peek()) != "{":
        raise MalformedError
    sink.start(name)
    extent = Extent()
    while True:
        sink.arguments(reader.read(extent.scan(reader.rest)))
        reader.settle()
        if extent.is_complete or reader.is_ended:
            return
        yield


def object_text(written: str) -> str:
    """Return the text of the object that a whole JSON value is.

    Some models quote the object once more; some write null where there are no arguments.

    Raises:
        MalformedError: The value is no object.
    """
    if written.startswith('"'):
        try:
            written = str(json.loads(written, strict=False)).strip()
        except ValueError:
            raise MalformedError from None
    if written in {"null", ""}:
        return "{}"
    extent = Extent()
    if not written.startswith("{") or extent.scan(written) < len(written) or not extent.is_complete:
        raise MalformedError
    return written


def _read_extent(reader: Reader) -> Steps[str]:
    extent = Extent()
    pieces = []
    while True:
        pieces.append(reader.read(extent.scan(reader.rest)))
        if extent.is_complete:
            return "".join(pieces)
        if reader.is_ended:
            raise MalformedError
        yield
