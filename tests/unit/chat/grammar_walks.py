"""Models for grammars: tokenizers with marks of every kind, and walks over what masks allow."""

import functools
import random
from collections.abc import Collection, Sequence

import numpy as np
import tokenizers

from services.chat.engine.events import ContentDelta, Event, Parser, ReasoningDelta
from services.chat.engine.grammars import Grammars
from services.chat.engine.reasoning import AnswerParser, ReasoningParser, ReasoningTags
from services.chat.engine.request import Grammar
from services.chat.engine.text.pieces import Pieces
from services.chat.engine.text.stream import TextStream
from services.chat.engine.tool_calls.formats import FORMATS, CallFormat
from services.chat.engine.tool_calls.sink import Tools
from tests.unit.chat.pieces_of_text import read
from tests.unit.chat.tokenizers_of_tests import byte_level

THINK = ReasoningTags("<think>", "</think>")
ENDS = ("<|im_end|>", "<|endoftext|>")
PADDING = 70
"""Ids that the model has and the tokenizer lacks."""

KINDS = ("special", "added", "text")
"""Marks may be special tokens, added ones that are called text, and plain text."""


@functools.cache
def tokenizer_with(marks: tuple[str, ...], kind: str) -> tokenizers.Tokenizer:
    """Return a byte-level tokenizer with marks of a kind, and two tokens that end answers."""
    tokenizer = tokenizers.Tokenizer.from_str(byte_level().to_str())
    tokenizer.add_special_tokens(list(ENDS))
    if kind == "special":
        tokenizer.add_special_tokens(list(marks))
    if kind == "added":
        tokenizer.add_tokens([tokenizers.AddedToken(mark, normalized=False) for mark in marks])
    return tokenizer


class Model:
    """All of a model but the model: its tokenizer, its grammars, and how its answers are read."""

    def __init__(
        self,
        call_format: CallFormat = FORMATS["hermes"],
        tags: ReasoningTags | None = None,
        *,
        kind: str = "special",
        tokenizer: tokenizers.Tokenizer | None = None,
        eos: Collection[int] | None = None,
    ) -> None:
        marks = (*filter(None, call_format.marks), *((tags.begin, tags.end) if tags else ()))
        self.call_format = call_format
        self.tags = tags
        self.tokenizer = tokenizer or tokenizer_with(marks, kind)
        self.vocabulary = self.tokenizer.get_vocab_size() + PADDING
        self.eos = frozenset(eos or map(self.tokenizer.token_to_id, ENDS))
        self.pieces = Pieces(self.tokenizer, shown=marks)
        closing = ['"', "}", "]", "<|end|>", *((tags.end,) if tags else ())]
        shape = call_format.shape
        closing += [shape.tail, shape.after]
        if shape.parameters:
            closing.append(f"\n{shape.parameters.value_end}")
        self._closing = [mark.encode() for mark in closing if mark]
        self.grammars = Grammars(
            self.tokenizer,
            vocabulary=self.vocabulary,
            eos=self.eos,
            call_format=call_format,
            tags=tags,
        )

    def allowed(self, grammar: Grammar) -> list[int]:
        """Return the tokens that may come next."""
        bits = np.unpackbits(grammar.mask().view(np.uint8), bitorder="little")
        return [int(token) for token in np.flatnonzero(bits)]

    def walk(self, grammar: Grammar, seeded: random.Random, most: int = 3000) -> str:
        """Return an answer of random tokens, ended where that is allowed more often than not."""
        tokens, written = list[int](), b""
        while len(tokens) < most:
            token = self._choose(written, self.allowed(grammar), seeded)
            if token in self.eos:
                return self.text(tokens)
            tokens.append(token)
            written += self.pieces.bytes_of(token)
            grammar.accept(token)
        raise AssertionError(f"no end: {self.text(tokens)}")

    def takes(self, grammar: Grammar, text: str) -> bool:
        """Return whether an answer may be this text, in the usual tokens."""
        for token in self.tokenizer.encode(text, add_special_tokens=False).ids:
            if token not in self.allowed(grammar):
                return False
            grammar.accept(token)
        return self.eos <= {*self.allowed(grammar)}

    def text(self, tokens: Sequence[int]) -> str:
        """Return what the engine makes of tokens."""
        stream = TextStream(self.pieces)
        return "".join(map(stream.push, tokens)) + stream.finish()

    def events(self, text: str, tools: Tools, *, thinks: bool = False) -> list[Event]:
        """Return what callers are told of an answer."""
        parser: Parser = self.call_format.new_parser(tools)
        if self.tags:
            parser = AnswerParser(ReasoningParser(self.tags, is_open=thinks), parser)
        return read(parser, [text])

    def _choose(self, written: bytes, allowed: list[int], seeded: random.Random) -> int:
        """Return a token: the longer the answer, the sooner one that comes nearer to its end."""
        assert allowed, "a mask is never empty"
        is_late = len(written) > 100
        ends = [token for token in allowed if token in self.eos]
        if ends and seeded.random() < (0.9 if is_late else 0.4):
            assert {*ends} == self.eos, "all tokens that end an answer end it"
            return seeded.choice(ends)
        haste = seeded.random()
        if haste < (0.9 if is_late else 0.3):
            nearest = max(self._progress(written, token) for token in allowed)
            if nearest > 1 or haste < 0.3:
                near = [t for t in allowed if self._progress(written, t) == nearest]
                return seeded.choice(near)
        return seeded.choice(allowed)

    def _progress(self, written: bytes, token: int) -> int:
        """Return how far a token gets towards the end of something."""
        piece = self.pieces.bytes_of(token)
        whole = written[-20:] + piece
        steps = (
            length
            for mark in self._closing
            for length in range(len(piece), len(mark) + 1)
            if whole.endswith(mark[:length])
        )
        return max(steps, default=0) if piece else 0


def content_of(events: Sequence[Event]) -> str:
    """Return the words among events."""
    return "".join(event.text for event in events if isinstance(event, ContentDelta))


def thoughts_of(events: Sequence[Event]) -> str:
    """Return the thoughts among events."""
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))
