"""Calls that are JSON objects with a name and arguments, alone or in a list, between marks.

Source: https://github.com/NousResearch/Hermes-Function-Calling;
https://qwen.readthedocs.io/en/latest/framework/function_call.html
"""

from dataclasses import dataclass

from services.chat.engine.reader import MalformedError, Reader, Steps
from services.chat.engine.tool_calls.json_values import (
    object_text,
    pass_object,
    read_string,
    read_value,
)
from services.chat.engine.tool_calls.sink import Sink

_ARGUMENTS = {"arguments", "parameters"}
_MEMBERS = {"name", "id", "type"} | _ARGUMENTS


def read_calls(reader: Reader, sink: Sink, end: str, *, only_known: bool = False) -> Steps[None]:
    """Read one call, several, or a list of them, and the mark behind.

    Args:
        reader: Stands behind the mark before.
        sink: Takes the calls.
        end: The mark behind, which may be missing; may be empty.
        only_known: Whether an object counts as a call only where it names a tool that is offered.

    Raises:
        MalformedError: Something else comes; calls that were whole are settled.
    """
    yield from reader.skip_space()
    is_list = yield from reader.take("[")
    while True:
        yield from reader.skip_space()
        yield from _read_call(reader, sink, end, only_known=only_known)
        sink.end()
        reader.settle()
        yield from reader.skip_space()
        is_parted = (yield from reader.take(",")) or (yield from reader.take(";"))
        yield from reader.skip_space()
        if not is_parted and (yield from reader.peek()) != "{":
            break
    if is_list:
        yield from reader.expect("]")
        reader.settle()
        yield from reader.skip_space()
    yield from reader.expect(end)


@dataclass(slots=True)
class _Call:
    """What is known of a call so far."""

    name: str | None = None
    arguments: str = "{}"
    """Those that came before the name."""
    has_started: bool = False


def _read_call(reader: Reader, sink: Sink, end: str, *, only_known: bool) -> Steps[None]:
    """Read an object; its members come in any order, and others than ours are passed over."""
    call = _Call()
    yield from reader.expect("{")
    while True:
        yield from reader.skip_space()
        yield from _read_member(reader, sink, call, only_known=only_known)
        yield from reader.skip_space()
        if not (yield from reader.take(",")):
            break
    is_whole = yield from reader.take("}")
    if not is_whole and call.has_started and end:
        is_whole = yield from reader.comes(end)  # a forgotten brace is no reason to lose a call
    if not is_whole or call.name is None:
        raise MalformedError
    if not call.has_started:
        sink.start(call.name)
        sink.arguments(call.arguments)


def _read_member(reader: Reader, sink: Sink, call: _Call, *, only_known: bool) -> Steps[None]:
    key = yield from read_string(reader)
    if only_known and key not in _MEMBERS:
        raise MalformedError  # an answer in JSON should not wait for its last brace
    yield from reader.skip_space()
    yield from reader.expect(":")
    yield from reader.skip_space()
    if key == "name" and call.name is None:
        call.name = yield from read_string(reader)
        if not call.name or (only_known and call.name not in sink.tools):
            raise MalformedError
    elif key not in _ARGUMENTS or call.has_started:
        yield from read_value(reader)
    elif call.name is not None and (yield from reader.peek()) == "{":
        call.has_started = True
        yield from pass_object(reader, sink, call.name)
    else:
        call.arguments = object_text((yield from read_value(reader)))
