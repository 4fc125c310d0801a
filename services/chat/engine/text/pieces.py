"""The exact bytes of each token, also of those that hold half a character.

A tokenizer decodes in steps that it describes itself. Here they are turned around once, into bytes
a token, so that a text grows by joining bytes and nothing is ever decoded twice.

Source: https://huggingface.co/docs/tokenizers/api/decoders
"""

import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import tokenizers

from services.runtime.artifacts import ArtifactError

Decode = Callable[[str], bytes]
"""From a token as the vocabulary writes it to its bytes."""

_BYTE_TOKEN = re.compile("<0x([0-9A-Fa-f]{2})>")


class Pieces:
    """The bytes of one model's tokens."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, shown: Collection[str] = ()) -> None:
        """Take a tokenizer.

        Args:
            tokenizer: The model's.
            shown: Special tokens that are part of the text all the same, such as the marks of a
                tool call.

        Raises:
            ArtifactError: Its decoder is of a kind that cannot be taken apart by tokens.
        """
        self._tokenizer = tokenizer
        self._decode, self._decode_opening = _read_decoder(tokenizer)
        added = tokenizer.get_added_tokens_decoder()
        self._special = {token: entry.content for token, entry in added.items() if entry.special}
        self._hidden = {token for token, text in self._special.items() if text not in shown}
        self._bytes = dict[int, bytes]()

    def is_hidden(self, token: int) -> bool:
        """Return whether a token is a special one that is no part of the text."""
        return token in self._hidden

    def bytes_of(self, token: int) -> bytes:
        """Return the bytes of a token; none for an id that the vocabulary does not have."""
        piece = self._bytes.get(token)
        if piece is None:
            piece = self._bytes[token] = self._find(token, self._decode)
        return piece

    def opening_bytes_of(self, token: int) -> bytes:
        """Return the bytes of a token that is the first of a text, where some drop a space."""
        return self._find(token, self._decode_opening)

    def text_of(self, token: int) -> str:
        """Return a token as text, with U+FFFD for what is no whole character."""
        return self.bytes_of(token).decode("utf-8", "replace")

    def _find(self, token: int, decode: Decode) -> bytes:
        if token in self._special:
            return self._special[token].encode()
        entry = self._tokenizer.id_to_token(token)
        return b"" if entry is None else decode(entry)


def _read_decoder(tokenizer: tokenizers.Tokenizer) -> tuple[Decode, Decode]:
    """Return how a token is decoded, and how the first one is."""
    state = tokenizer.decoder.__getstate__() if tokenizer.decoder else b"null"
    match json.loads(state):
        case {"type": "ByteLevel"}:
            return _of_byte_level, _of_byte_level
        case {"type": "Metaspace", "replacement": str(mark), **scheme}:
            keeps_first = scheme.get("prepend_scheme") == "never"
            space = _replacing([(mark, " ")])
            return space, space if keeps_first else _replacing([(mark, "")])
        case {"type": "Sequence", "decoders": [*steps]}:
            return _read_steps(steps)
        case decoder:
            kind = decoder.get("type") if isinstance(decoder, dict) else decoder
    raise ArtifactError(
        f"the tokenizer's decoder ({kind}) cannot write a text token by token;"
        " ByteLevel, Metaspace and ByteFallback can"
    )


def _read_steps(steps: list[dict[str, Any]]) -> tuple[Decode, Decode]:
    """Return what a sequence of steps does, as SentencePiece models in Llama's manner have them."""
    if [step["type"] for step in steps] == ["ByteLevel"]:
        return _of_byte_level, _of_byte_level
    replacements = []
    has_bytes = drops_space = False
    for step in steps:
        match step:
            case {"type": "Replace", "pattern": {"String": str(old)}, "content": str(new)}:
                replacements.append((old, new))
            case {"type": "ByteFallback"}:
                has_bytes = True
            case {"type": "Strip", "content": " ", "start": 0 | 1 as start, "stop": 0}:
                drops_space = start == 1
            case {"type": "Fuse"}:
                pass
            case _:
                raise ArtifactError(
                    f"the step {json.dumps(step)} of the tokenizer's decoder cannot be taken apart"
                    " by tokens"
                )
    decode = _replacing(replacements)
    if has_bytes:
        decode = _falling_back(decode)
    return decode, _dropping_space(decode) if drops_space else decode


def _replacing(replacements: Sequence[tuple[str, str]]) -> Decode:
    def decode(token: str) -> bytes:
        for old, new in replacements:
            token = token.replace(old, new)
        return token.encode()

    return decode


def _falling_back(decode: Decode) -> Decode:
    """Read tokens such as `<0xF0>` as the byte that they name."""

    def decode_byte(token: str) -> bytes:
        byte = _BYTE_TOKEN.fullmatch(token)
        return bytes.fromhex(byte[1]) if byte else decode(token)

    return decode_byte


def _dropping_space(decode: Decode) -> Decode:
    return lambda token: decode(token).removeprefix(b" ")


def _of_byte_level(token: str) -> bytes:
    """Return the bytes behind the letters of a byte-level vocabulary.

    An added token with other letters than these stands for itself.
    """
    try:
        return bytes(_BYTES[letter] for letter in token)
    except KeyError:
        return token.encode()


def _byte_letters() -> dict[str, int]:
    """Return the letter of each byte: printable ones are themselves, others follow U+0100.

    Source: https://github.com/openai/gpt-2/blob/master/src/encoder.py (`bytes_to_unicode`)
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


_BYTES = _byte_letters()
