"""gpt-oss's channels ("harmony"): thoughts, words and calls are messages with a header each.

    <|channel|>analysis<|message|>…<|end|>
    <|start|>assistant<|channel|>final<|message|>…<|return|>
    <|start|>assistant<|channel|>commentary to=functions.NAME json<|message|>{…}<|call|>

Source: https://cookbook.openai.com/articles/openai-harmony
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.chat.engine.reader import MalformedError, Reader, Steps, overlap
from services.chat.engine.tool_calls.json_values import pass_object
from services.chat.engine.tool_calls.names import LONGEST_NAME, read_name
from services.chat.engine.tool_calls.sink import Sink

START, CHANNEL, CONSTRAIN, MESSAGE = "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>"
ENDS = ("<|end|>", "<|call|>", "<|return|>")
MARKS = (START, CHANNEL, CONSTRAIN, MESSAGE, *ENDS)

FUNCTIONS = "functions."
_WORD = re.compile(r"\w*")


@dataclass(frozen=True, slots=True)
class _Header:
    channel: str
    recipient: str


def gpt_oss(reader: Reader, sink: Sink) -> Steps[None]:
    """Read an answer of gpt-oss; what has no header is content."""
    while (yield from reader.peek()):
        try:
            header = yield from _read_header(reader)
        except MalformedError:
            reader.rewind()
            yield from _pass_text(reader, sink.content, ends=())
            return
        reader.settle()
        if header.recipient.startswith(FUNCTIONS):
            yield from _read_call(reader, sink, header.recipient.removeprefix(FUNCTIONS))
        is_thought = header.channel == "analysis"
        write = sink.reasoning if is_thought else sink.content
        yield from _pass_text(reader, write, (*ENDS, START, CHANNEL))
        for end in ENDS:
            yield from reader.take(end)
        reader.settle()


def _read_header(reader: Reader) -> Steps[_Header]:
    """Read up to where a message begins; the recipient stands before or behind the channel."""
    if (yield from reader.take(START)):
        yield from reader.run(_WORD, LONGEST_NAME)  # the role, always `assistant`
    recipient = yield from _read_recipient(reader)
    yield from reader.expect(CHANNEL)
    channel = yield from reader.run(_WORD, LONGEST_NAME)
    recipient = (yield from _read_recipient(reader)) or recipient
    yield from reader.take(CONSTRAIN)
    yield from reader.run(_WORD, LONGEST_NAME)  # the kind of content, always `json`
    yield from reader.expect(MESSAGE)
    return _Header(channel, recipient)


def _read_recipient(reader: Reader) -> Steps[str]:
    yield from reader.skip_space()
    if not (yield from reader.take("to=")):
        return ""
    recipient = yield from read_name(reader)
    yield from reader.skip_space()
    return recipient


def _read_call(reader: Reader, sink: Sink, name: str) -> Steps[None]:
    """Read the arguments of a call; what is no object is left to be read as words."""
    yield from reader.skip_space()
    try:
        yield from pass_object(reader, sink, name)
        yield from reader.skip_space()
        reader.settle()
    except MalformedError:
        reader.rewind()
    sink.end()


def _pass_text(reader: Reader, write: Callable[[str], None], ends: Sequence[str]) -> Steps[None]:
    """Pass text on up to the first of the marks, which is not read, or up to the end."""
    while True:
        rest = reader.rest
        places = [place for end in ends if (place := rest.find(end)) >= 0]
        held = 0 if places or reader.is_ended else overlap(rest, ends)
        write(reader.read(min(places, default=len(rest) - held)))
        reader.settle()
        if places or reader.is_ended:
            return
        yield
