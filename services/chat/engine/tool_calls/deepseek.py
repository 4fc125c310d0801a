"""DeepSeek's calls: a name and a JSON object between marks of their own.

Source: https://huggingface.co/deepseek-ai/DeepSeek-R1-0528 and
https://huggingface.co/deepseek-ai/DeepSeek-V3.1 (chat templates)
"""

from services.chat.engine.reader import Reader, Steps
from services.chat.engine.tool_calls.content import read_content
from services.chat.engine.tool_calls.json_values import pass_object
from services.chat.engine.tool_calls.names import read_name
from services.chat.engine.tool_calls.sink import Sink


def _mark(name: str) -> str:
    """Return a mark with DeepSeek's letters: a full-width bar, a lower block between words."""
    return f"<\uff5c{name.replace(' ', chr(0x2581))}\uff5c>"


BEGIN, END = _mark("tool calls begin"), _mark("tool calls end")
CALL_BEGIN, CALL_END = _mark("tool call begin"), _mark("tool call end")
SEPARATOR = _mark("tool sep")
MARKS = (BEGIN, END, CALL_BEGIN, CALL_END, SEPARATOR)

FENCE_BEGIN, FENCE_END = "```json", "```"


def deepseek(reader: Reader, sink: Sink) -> Steps[None]:
    """Read an answer of a DeepSeek model."""

    def read_block(_mark: str) -> Steps[None]:
        yield from reader.skip_space()
        yield from reader.expect(CALL_BEGIN)
        while True:
            yield from _read_call(reader, sink)
            sink.end()
            reader.settle()
            yield from reader.skip_space()
            if not (yield from reader.take(CALL_BEGIN)):
                break
        yield from reader.expect(END)

    yield from read_content(reader, sink, [BEGIN], read_block)


def _read_call(reader: Reader, sink: Sink) -> Steps[None]:
    """Read what V3.1 writes, `name SEP {…}`, or V3 and R1: `function SEP name ```json {…} ``` `."""
    name = yield from read_name(reader)
    yield from reader.expect(SEPARATOR)
    yield from reader.skip_space()
    is_fenced = name == "function" and (yield from reader.peek()) != "{"
    if is_fenced:
        name = yield from read_name(reader)
        yield from reader.skip_space()
        yield from reader.expect(FENCE_BEGIN)
        yield from reader.skip_space()
    yield from pass_object(reader, sink, name)
    yield from reader.skip_space()
    if is_fenced:
        yield from reader.expect(FENCE_END)
        yield from reader.skip_space()
    yield from reader.expect(CALL_END)
