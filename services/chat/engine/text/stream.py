"""The text of one answer, growing by tokens."""

import codecs
from collections.abc import Sequence

from services.chat.engine.text.pieces import Pieces
from services.chat.engine.text.stop_strings import StopStrings

_new_utf8_decoder = codecs.getincrementaldecoder("utf-8")


class TextStream:
    """Turns the tokens of one answer into text, in constant time a token.

    The deltas joined are the bytes of all tokens read as UTF-8, up to the first stop string.
    Bytes that are no UTF-8 become U+FFFD as Unicode recommends (one for each longest wrong start);
    ByteFallback in `tokenizers` writes one for each byte of such a run, which it can tell only
    when the run has ended.
    """

    def __init__(self, pieces: Pieces, stops: Sequence[str] = ()) -> None:
        """Begin a text.

        Args:
            pieces: The model's tokens.
            stops: The stop strings, none empty.
        """
        self._pieces = pieces
        self._stops = StopStrings(stops)
        self._decoder = _new_utf8_decoder("replace")
        self._is_opening = True

    @property
    def stop(self) -> str | None:
        """The stop string that ended the text; None while it goes on."""
        return self._stops.found

    def push(self, token: int) -> str:
        """Return the text that a token adds and that nothing to come can take back.

        Half characters and beginnings of stop strings are held back.
        """
        if self._pieces.is_hidden(token):
            return ""
        return self._stops.push(self._decoder.decode(self._bytes_of(token)))

    def finish(self) -> str:
        """Return what was held back, as the text ends here."""
        return self._stops.push(self._decoder.decode(b"", final=True)) + self._stops.finish()

    def _bytes_of(self, token: int) -> bytes:
        piece = self._pieces.bytes_of(token)
        if self._is_opening and piece:
            self._is_opening = False
            return self._pieces.opening_bytes_of(token)
        return piece
