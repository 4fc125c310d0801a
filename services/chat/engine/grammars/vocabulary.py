"""A model's tokens as llguidance reads them: the bytes of each, and which of them are no text.

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/toktrie.md;
https://github.com/guidance-ai/llguidance/blob/main/docs/special_tokens.md
"""

from collections.abc import Collection, Sequence

import tokenizers
from llguidance import LLTokenizer, TokenizerWrapper

from services.chat.engine.grammars.texts import none_of
from services.chat.engine.text.pieces import Pieces

_SPACE = r"[\x20\x0A\x0D\x09]+"
_UNQUOTED = ('"', "\\", *map(chr, range(0x20)), "\x7f")
"""What a JSON string does not hold as it is."""

_LONG_CHARACTERS = 512
_MANY_TOKENS = 8
"""More than llguidance may take back where a text could go on with a longer token."""


class Vocabulary:
    """The tokens of one model.

    Special tokens and marks that are one token are no text: they come only where a grammar names
    them. Marks that are several tokens are text.
    """

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        *,
        size: int,
        eos: frozenset[int],
        marks: Collection[str],
    ) -> None:
        """Build the trie of all tokens, in about half a second for 150,000.

        Args:
            tokenizer: The model's.
            size: How many token ids the model has; may be more than the tokenizer has.
            eos: Tokens that end an answer, at least one, all below `size`.
            marks: Texts that mean something to those who read the model's answers.
        """
        added = {
            token: entry
            for token, entry in tokenizer.get_added_tokens_decoder().items()
            if token < size
        }
        self.size = size
        self.marks = {
            entry.content: token for token, entry in added.items() if entry.content in marks
        }
        """The marks that are one token."""
        special = {token for token, entry in added.items() if entry.special}
        pieces = Pieces(tokenizer)
        tokens = _Tokens(
            tokenizer,
            [pieces.bytes_of(token) for token in range(size)],
            sorted(special | eos | {*self.marks.values()}),
            min(eos),
        )
        self.tokens = LLTokenizer(
            TokenizerWrapper(tokens), eos_token=sorted(eos), slices=_slices(marks)
        )
        self.drops_first_space = any(
            pieces.opening_bytes_of(token) != piece
            for token, piece in enumerate(tokens.tokens)
            if piece.startswith(b" ")
        )
        """Whether a space before an answer is no part of its text."""


class _Tokens:
    """What `TokenizerWrapper` asks of a tokenizer."""

    bos_token_id = None

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        tokens: Sequence[bytes],
        special: Sequence[int],
        eos: int,
    ) -> None:
        self.tokens = tokens
        self.special_token_ids = special
        self.eos_token_id = eos
        self._tokenizer = tokenizer
        self._texts = [*tokens]
        for token in special:
            self._texts[token] = b""
        self._by_text = dict[bytes, int]()
        self._longest = max(map(len, self._texts))

    def __call__(self, text: str) -> list[int]:
        """Return tokens whose bytes are exactly the text's, the usual ones where they are.

        llguidance asks at every token of a text that has to come, for all that is left of it, and
        takes the first; so the end of a long one is left out.
        """
        tokens = self._usual(text[:_LONG_CHARACTERS])
        if len(text) <= _LONG_CHARACTERS:
            return tokens
        return tokens[:-1] if len(tokens) > _MANY_TOKENS else self._usual(text)

    def _usual(self, text: str) -> list[int]:
        for opening in ("", "\n"):  # behind a line break nobody puts a space before a text
            before = self._encoded(opening)
            tokens = self._encoded(opening + text)
            rest = tokens[len(before) :]
            if tokens[: len(before)] == before and self._joined(rest) == text.encode():
                return rest
        return self._longest_first(text.encode())

    def _encoded(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _joined(self, tokens: Sequence[int]) -> bytes:
        known = len(self._texts)
        return b"".join(self._texts[token] if token < known else b"" for token in tokens)

    def _longest_first(self, data: bytes) -> list[int]:
        """Return the longest token that the bytes begin with, and so on."""
        if not self._by_text:
            self._by_text = {piece: token for token, piece in enumerate(self._texts) if piece}
        found, place = list[int](), 0
        while place < len(data):
            ends = range(min(len(data), place + self._longest), place, -1)
            end = next((end for end in ends if data[place:end] in self._by_text), None)
            if end is not None:
                found.append(self._by_text[data[place:end]])
            place = end or place + 1
        return found


def _slices(marks: Collection[str]) -> list[str]:
    """Return classes of tokens that llguidance allows or forbids as a whole.

    Most tokens have none of the characters that end a JSON string or begin a mark, and fit
    wherever free text does; those of up to 10 and 30 characters fit where its length is bounded.
    """
    usual = none_of(_UNQUOTED)
    markless = none_of([*_UNQUOTED, *(mark[0] for mark in marks)])
    return [_SPACE, *(f"{markless}{{1,{most}}}" for most in (10, 30)), f"{markless}+", f"{usual}+"]
