"""Llama 3's calls: a bare JSON object where the answer begins, or one behind `<|python_tag|>`.

Source: https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/
(JSON based tool calling)
"""

from contextlib import suppress

from services.chat.engine.reader import MalformedError, Reader, Steps
from services.chat.engine.tool_calls.content import read_content
from services.chat.engine.tool_calls.json_calls import read_calls
from services.chat.engine.tool_calls.sink import Sink

BEGIN = "<|python_tag|>"


def llama(reader: Reader, sink: Sink) -> Steps[None]:
    """Read an answer of a Llama 3 model.

    An object without a mark is a call only where it names a tool that the caller offers: people
    ask for JSON with names, too.
    """
    yield from reader.skip_space()
    if (yield from reader.peek()) == "{":
        with suppress(MalformedError):
            yield from read_calls(reader, sink, end="", only_known=True)
    reader.rewind()
    sink.end()

    def read_block(_mark: str) -> Steps[None]:
        yield from read_calls(reader, sink, end="")

    yield from read_content(reader, sink, [BEGIN], read_block)
