"""Bytes of a process into lines of text."""

LONGEST_LINE_BYTES = 2**16
"""A line that is longer comes in pieces, so that memory stays bounded."""


class LineReader:
    """Collects bytes and hands out whole lines, whatever the bytes are."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Take the next bytes; return the lines that are now complete, without their ends."""
        *whole, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > LONGEST_LINE_BYTES:
            whole.append(self._partial)
            self._partial = b""
        return [_text(line) for line in whole]

    def close(self) -> list[str]:
        """Return the last line when it had no end."""
        rest, self._partial = self._partial, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    """Decode a line; of one that was drawn over with carriage returns, the last state."""
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
