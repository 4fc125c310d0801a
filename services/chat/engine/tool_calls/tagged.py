"""Calls in tags: a name, then a pair of tags for each argument, their values untyped.

Source: https://huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct/blob/main/qwen3coder_tool_parser.py;
https://huggingface.co/zai-org/GLM-4.6 (chat template)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.chat.engine.reader import Reader, Steps
from services.chat.engine.tool_calls.content import read_content
from services.chat.engine.tool_calls.names import read_name
from services.chat.engine.tool_calls.shapes import ParameterTags
from services.chat.engine.tool_calls.sink import Sink


@dataclass(frozen=True, slots=True)
class CallTags:
    """The tags of one family, in the order in which they come."""

    begin: str
    name_begin: str
    name_end: str
    parameters: ParameterTags
    call_end: str
    end: str

    def read(self, reader: Reader, sink: Sink) -> Steps[None]:
        """Read an answer of a model of the family; the mark before a call may be missing."""

        def read_block(mark: str) -> Steps[None]:
            if mark == self.begin:
                yield from reader.skip_space()
                yield from reader.expect(self.name_begin)
            name = yield from read_name(reader)
            yield from reader.expect(self.name_end)
            yield from self._read_arguments(reader, sink, name)
            yield from reader.skip_space()
            yield from reader.expect(self.end)

        marks = [mark for mark in (self.begin, self.name_begin) if mark]
        yield from read_content(reader, sink, marks, read_block)

    def _read_arguments(self, reader: Reader, sink: Sink, name: str) -> Steps[None]:
        """Pass each argument on when it is whole."""
        yield from reader.skip_space()
        schemas = sink.tools.get(name, {}).get("properties", {})
        written = ""
        while (yield from reader.take(self.parameters.key_begin)):
            key = yield from reader.until(self.parameters.key_end)
            value = yield from self._read_value(reader)
            if not written:
                sink.start(name)
            written = ", " if written else "{"
            sink.arguments(f"{written}{json.dumps(key)}: {typed(value, schemas.get(key))}")
            reader.settle()
            yield from reader.skip_space()
        yield from reader.expect(self.call_end)
        if not written:
            sink.start(name)
        sink.arguments("}" if written else "{}")
        sink.end()
        reader.settle()

    def _read_value(self, reader: Reader) -> Steps[str]:
        tags = self.parameters
        if tags.value_begin:
            yield from reader.skip_space()
            yield from reader.expect(tags.value_begin)
            return (yield from reader.until(tags.value_end))
        value = yield from reader.until(tags.value_end)
        return value.removeprefix("\n").removesuffix("\n")


def typed(value: str, schema: Any) -> str:
    """Return a value as JSON of the type that its schema names; a text where it names none."""
    types = _types(schema)
    written = value.strip()
    written = _LITERALS.get(written, written)
    if (
        types
        and _is_json(written)
        and ("string" not in types or (written == "null" and "null" in types))
    ):
        return written
    return json.dumps(value, ensure_ascii=False)


_LITERALS = {"True": "true", "False": "false", "None": "null"}
"""What models write that have read more Python than JSON."""


def _types(schema: Any) -> set[str]:
    """Return the types that a schema allows; none where it says nothing of them."""
    if not isinstance(schema, Mapping):
        return set()
    types = schema.get("type", "object" if "$ref" in schema else None)
    found = {each for each in _listed(types) if isinstance(each, str)}
    for name in ("anyOf", "oneOf"):
        for choice in _listed(schema.get(name)):
            found |= _types(choice)
    return found


def _listed(value: Any) -> list[Any]:
    """Return what should be a list or an element of it; nothing checks schemas of free answers."""
    return value if isinstance(value, list) else [value]


def _is_json(written: str) -> bool:
    try:
        json.loads(written, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are Python's


QWEN_CODER = CallTags(
    begin="<tool_call>",
    name_begin="<function=",
    name_end=">",
    parameters=ParameterTags("<parameter=", ">", "</parameter>"),
    call_end="</function>",
    end="</tool_call>",
)
SEED_OSS = replace(QWEN_CODER, begin="<seed:tool_call>", end="</seed:tool_call>")
GLM = CallTags(
    begin="<tool_call>",
    name_begin="",
    name_end="",
    parameters=ParameterTags("<arg_key>", "</arg_key>", "</arg_value>", value_begin="<arg_value>"),
    call_end="</tool_call>",
    end="",
)
