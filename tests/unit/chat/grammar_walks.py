"""Models for grammars: tokenizers with marks of every kind, and walks over what masks allow."""

import functools
import random
from collections.abc import Collection, Sequence

import numpy as np
import tokenizers

from services.chat.engine.conversation import Constraint, Conversation, Tool, ToolChoice
from services.chat.engine.events import Event, Parser
from services.chat.engine.grammars import Grammars
from services.chat.engine.reasoning import AnswerParser, ReasoningParser, ReasoningTags
from services.chat.engine.request import Grammar
from services.chat.engine.text.pieces import Pieces
from services.chat.engine.text.stream import TextStream
from services.chat.engine.tool_calls.formats import FORMATS, CallFormat
from tests.unit.chat.pieces_of_text import joined, read, told
from tests.unit.chat.tokenizers_of_tests import byte_level

THINK = ReasoningTags("<think>", "</think>")
ENDS = ("<|im_end|>", "<|endoftext|>")
PADDING = 70
"""Ids that the model has and the tokenizer lacks."""

KINDS = ("special", "added", "text")
"""Marks may be special tokens, added ones that are called text, and plain text."""

MESSAGES = ({"role": "user", "content": "Hello"},)


def wanting(kind: str, value: object = None, *, strict: bool = True) -> Conversation:
    """Return a conversation whose answer has a form."""
    return Conversation(MESSAGES, constraint=Constraint(kind, value, strict=strict))


def calling(
    *tools: Tool,
    mode: str = "required",
    names: Collection[str] | None = None,
    parallel: bool = True,
    constraint: Constraint | None = None,
) -> Conversation:
    """Return a conversation with tools."""
    choice = ToolChoice(mode, None if names is None else frozenset(names))
    return Conversation(
        MESSAGES,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        constraint=constraint,
    )


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
        eos: Collection[str] = ENDS,
    ) -> None:
        self.call_format = call_format
        self.tags = tags
        marks = (*filter(None, call_format.marks), *((tags.begin, tags.end) if tags else ()))
        self.tokenizer = tokenizer or tokenizer_with(marks, kind)
        self.vocabulary = self.tokenizer.get_vocab_size() + PADDING
        self.eos = frozenset(map(self.tokenizer.token_to_id, eos))
        self.pieces = Pieces(self.tokenizer, shown=marks)
        self.grammars = Grammars(
            self.tokenizer,
            vocabulary=self.vocabulary,
            eos=self.eos,
            call_format=call_format,
            tags=tags,
        )
        shape = call_format.shape
        closing = ['"', "}", "]", shape.tail, shape.after, "<|end|>", tags.end if tags else ""]
        if shape.parameters:
            closing.append(f"\n{shape.parameters.value_end}")
        self._closing = [mark.encode() for mark in closing if mark]
        size = self.tokenizer.get_vocab_size()
        self._by_bytes = {self.pieces.bytes_of(token): token for token in range(size)}

    def grammar(self, conversation: Conversation, *, thinks: bool = False) -> Grammar:
        """Return what restrains an answer."""
        new_grammar = self.grammars.of_conversation(conversation, thinks=thinks)
        assert new_grammar is not None
        return new_grammar()

    def allowed(self, grammar: Grammar) -> list[int]:
        """Return the tokens that may come next."""
        bits = np.unpackbits(grammar.mask().view(np.uint8), bitorder="little")
        return [int(token) for token in np.flatnonzero(bits)]

    def encoded(self, text: str) -> list[int]:
        """Return the usual tokens of a text."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def takes(self, grammar: Grammar, text: str) -> bool:
        """Return whether an answer may be this text, in the usual tokens."""
        for token in self.encoded(text):
            if token not in self.allowed(grammar):
                return False
            grammar.accept(token)
        return self.eos <= {*self.allowed(grammar)}

    def walk(
        self, grammar: Grammar, seeded: random.Random, towards: str = "", begun: str = ""
    ) -> str:
        """Return an answer of random tokens.

        Args:
            grammar: Says what may come.
            seeded: Where the tokens come from.
            towards: A text that the answer tends to.
            begun: What the answer begins with.
        """
        marks = [*self._closing, *filter(None, [towards.encode()])]
        tokens, written = self.encoded(begun), begun.encode()
        for token in tokens:
            assert token in self.allowed(grammar)
            grammar.accept(token)
        while len(tokens) < 6000:
            token = self._choose(written, self.allowed(grammar), marks, seeded)
            if token in self.eos:
                return self.text(tokens)
            tokens.append(token)
            written += self.pieces.bytes_of(token)
            grammar.accept(token)
        raise AssertionError(f"no end: {self.text(tokens)[:500]}")

    def text(self, tokens: Sequence[int]) -> str:
        """Return what the engine makes of tokens."""
        stream = TextStream(self.pieces)
        return "".join(map(stream.push, tokens)) + stream.finish()

    def events(self, text: str, conversation: Conversation, *, thinks: bool = False) -> list[Event]:
        """Return what callers are told of an answer, neighbours joined."""
        tools = {tool.name: tool.parameters or {} for tool in conversation.callable_tools}
        parser: Parser = self.call_format.new_parser(tools)
        if self.tags and not self.call_format.tells_reasoning:
            parser = AnswerParser(ReasoningParser(self.tags, is_open=thinks), parser)
        return joined(read(parser, [text]))

    def calls(
        self, text: str, conversation: Conversation, *, thinks: bool = False
    ) -> list[tuple[str, str]]:
        """Return the calls in an answer: names and arguments."""
        events = told(self.events(text, conversation, thinks=thinks))
        return [event for event in events if isinstance(event, tuple)]

    def _choose(
        self, written: bytes, allowed: list[int], marks: list[bytes], seeded: random.Random
    ) -> int:
        """Return a token: the longer the answer, the sooner one that comes nearer to its end."""
        assert allowed, "a mask is never empty"
        is_late = len(written) > 60
        ends = [token for token in allowed if token in self.eos]
        if ends and seeded.random() < (0.9 if is_late else 0.3):
            return seeded.choice(ends)
        haste = seeded.random()
        if haste < (0.9 if is_late else 0.4):
            steps = self._steps(written, {*allowed}, marks)
            furthest = max(steps.values(), default=0)
            if furthest > 1 or (steps and haste < 0.3):
                return seeded.choice([token for token in steps if steps[token] == furthest])
        return seeded.choice(allowed)

    def _steps(self, written: bytes, allowed: set[int], marks: list[bytes]) -> dict[int, int]:
        """Return tokens that go on with a mark, or begin one, and how much of it is there then."""
        steps = dict[int, int]()
        for mark in marks:
            begun = [n for n in range(len(mark)) if written.endswith(mark[:n])]
            for start in {0, max(begun)}:
                for end in range(start + 1, len(mark) + 1):
                    token = self._by_bytes.get(mark[start:end])
                    if token in allowed:
                        steps[token] = max(steps.get(token, 0), end)
        return steps
