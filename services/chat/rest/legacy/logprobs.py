"""Log probabilities in the older form: four lists, one element a token."""

import codecs
from collections.abc import Iterable

from services.chat.models.answers import TokenLogprob
from services.chat.rest.logprobs import told

_new_utf8_decoder = codecs.getincrementaldecoder("utf-8")


class LogprobLists:
    """Writes the log probabilities of one choice, and counts where its tokens begin."""

    def __init__(self) -> None:
        self._decoder = _new_utf8_decoder("replace")
        self._offset = 0

    def write(self, logprobs: Iterable[TokenLogprob]) -> dict[str, object]:
        """Return the next part of the field `logprobs`."""
        places = list(logprobs)
        return {
            "tokens": [place.token.text for place in places],
            "token_logprobs": [told(place.token.logprob) for place in places],
            "top_logprobs": [_top(place) for place in places],
            "text_offset": [self._advance(place.token.data) for place in places],
        }

    def _advance(self, data: bytes) -> int:
        """Return where a token begins, in characters of the answer's text."""
        offset = self._offset
        self._offset += len(self._decoder.decode(data))
        return offset


def _top(place: TokenLogprob) -> dict[str, float | None] | None:
    """Return the likeliest tokens and the chosen one; None at the first token of a prompt.

    Of tokens with the same text, such as parts of characters, the likeliest is told.
    """
    if place.token.logprob is None:
        return None
    top = dict[str, float | None]()
    for token in (*place.top, place.token):
        top.setdefault(token.text, told(token.logprob))
    return top
