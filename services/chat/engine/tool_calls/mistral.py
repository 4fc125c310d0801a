"""Mistral's calls: `[TOOL_CALLS]` before a list, or before each name and its arguments.

Source: https://docs.mistral.ai/capabilities/function_calling/; mistral-common,
`tokens/tokenizers/instruct.py` (v3 to v13)
"""

from services.chat.engine.reader import Reader, Steps
from services.chat.engine.tool_calls.content import read_content
from services.chat.engine.tool_calls.json_calls import read_calls
from services.chat.engine.tool_calls.json_values import pass_object
from services.chat.engine.tool_calls.names import read_name
from services.chat.engine.tool_calls.sink import Sink

BEGIN, CALL_ID, ARGS = MARKS = ("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]")


def mistral(reader: Reader, sink: Sink) -> Steps[None]:
    """Read an answer of a Mistral model."""

    def read_block(_mark: str) -> Steps[None]:
        yield from reader.skip_space()
        if (yield from reader.peek()) in {"[", "{"}:
            yield from read_calls(reader, sink, end="")
        else:
            yield from _read_named(reader, sink)

    yield from read_content(reader, sink, [BEGIN], read_block)


def _read_named(reader: Reader, sink: Sink) -> Steps[None]:
    """Read `name{…}`, or `name[CALL_ID]id[ARGS]{…}`; the caller gets an id of ours."""
    name = yield from read_name(reader)
    if (yield from reader.take(CALL_ID)):
        yield from read_name(reader)
    yield from reader.take(ARGS)
    yield from reader.skip_space()
    yield from pass_object(reader, sink, name)
