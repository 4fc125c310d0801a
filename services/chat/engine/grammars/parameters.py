"""Arguments that are written as a pair of tags each, as a grammar.

The parser reads a value by its schema, as text or as JSON, and so does the grammar. Properties
come in the order of the schema; others than it names come only where it names none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from services.chat.engine.grammars.keywords import ANNOTATIONS
from services.chat.engine.grammars.notation import Notation, Part, Script
from services.chat.engine.grammars.schemas import located
from services.chat.engine.grammars.subschemas import Schema
from services.chat.engine.grammars.texts import none_of
from services.chat.engine.grammars.unfit import UnfitError
from services.chat.engine.tool_calls.shapes import ParameterTags
from services.chat.engine.tool_calls.tagged import typed
from services.runtime.errors import shown

_OF_OBJECTS = {"type", "properties", "required", "additionalProperties", "x-guidance"}
_OF_TEXTS = {"type", "enum", "const", "anyOf", "oneOf"}

_ANY_NAME = f"/{none_of('<>' + chr(10))}{{1,64}}/"


class ParameterWriter:
    """Writes the arguments of one tool."""

    def __init__(self, script: Script, notation: Notation, tags: ParameterTags, name: str) -> None:
        """Begin.

        Args:
            script: Takes the rules.
            notation: How texts are written.
            tags: What stands around each argument.
            name: Of the rules.
        """
        self._script = script
        self._notation = notation
        self._tags = tags
        self._name = name
        self._gap = "" if tags.value_begin else "\n"
        """What stands between a value and the tag behind it."""

    def write(self, part: Part, *, is_strict: bool) -> str:
        """Return what refers to the arguments.

        Args:
            part: The schema of all arguments.
            is_strict: Whether it has to be kept in every keyword.

        Raises:
            UnfitError: A keyword cannot be enforced.
        """
        schema = part.grammar["json_schema"]
        properties, required = _members(schema), schema.get("required", ())
        if is_strict:
            _check_keywords(schema, _OF_OBJECTS)
        others = schema.get("additionalProperties")
        if not properties and others is not False:
            if is_strict and others not in (None, True, {}):
                raise _unenforced("additionalProperties")
            return f"({self._any_argument()})*"
        written = []
        for place, (key, value) in enumerate(properties.items()):
            if is_strict:
                _check_text(key, value)
            argument = self._argument(key, self._value(part, key, value))
            rule = self._script.define(f"{self._name}_{place}", argument)
            written.append(rule if key in required else f"{rule}?")
        return self._script.define(self._name, " ".join(written) or '""')

    def _argument(self, key: str, value: str) -> str:
        tags = self._tags
        before = f"{tags.key_begin}{key}{tags.key_end}\n{tags.value_begin}"
        return f'{self._notation.literal(before)} {value} "\\n"'

    def _any_argument(self) -> str:
        """Return an argument of any name; its value is a text."""
        tags, literal = self._tags, self._notation.literal
        behind = literal(f"{tags.key_end}\n{tags.value_begin}")
        return f'{literal(tags.key_begin)} {_ANY_NAME} {behind} {self._any_text()} "\\n"'

    def _value(self, part: Part, key: str, schema: Any) -> str:
        """Return a value and the tag behind it."""
        behind = f"{self._gap}{self._tags.value_end}"
        if not _is_text(schema):
            whole = part.grammar["json_schema"]
            value = replace(part, grammar={"json_schema": located(whole, key)})
            return f"{self._script.embed(value)} {self._notation.literal(behind)}"
        choices = _choices(schema)
        if not choices:
            return self._any_text()
        literals = (self._notation.literal(f"{choice}{behind}") for choice in choices)
        return f"({' | '.join(literals)})"

    def _any_text(self) -> str:
        return self._notation.text_until(self._tags.value_end, gap=self._gap)


def _members(schema: Schema) -> dict[str, Any]:
    """Return the schemas of all members that are named."""
    named = schema.get("properties", {})
    return {**named, **{name: True for name in schema.get("required", ()) if name not in named}}


def _is_text(schema: Any) -> bool:
    """Return whether the parser takes a value of this schema for a text, whatever it looks like."""
    return typed("0", schema) != "0"


def _texts_of(schema: Any) -> Iterator[Schema]:
    """Yield a schema and its alternatives, as far as they are about texts."""
    if isinstance(schema, Mapping) and _is_text(schema):
        yield dict(schema)
        for key in ("anyOf", "oneOf"):
            for alternative in schema.get(key, ()):
                yield from _texts_of(alternative)


def _choices(schema: Any) -> list[str] | None:
    """Return the texts that a schema allows; None where it allows any."""
    if not isinstance(schema, Mapping):
        return None
    match schema:
        case {"const": value}:
            return _written([value])
        case {"enum": [*values]}:
            return _written(values)
        case {"type": "null"}:
            return ["null"]
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if not alternatives:
        return None if _is_text(schema) else []
    found = [_choices(alternative) for alternative in alternatives]
    return None if None in found else [choice for each in found for choice in each or ()]


def _written(values: list[Any]) -> list[str]:
    """Return values as the parser reads them where it expects texts."""
    texts = [value for value in values if isinstance(value, str)]
    return texts + ["null"] * (None in values)


def _check_text(name: str, schema: Any) -> None:
    """Check that what the parser takes for a text fulfils its schema."""
    for text in _texts_of(schema):
        _check_keywords(text, _OF_TEXTS)
    if _is_text(schema) and _choices(schema) == []:
        raise UnfitError(f"the property {shown(name)} needs a 'type', as its values are no texts.")


def _check_keywords(schema: Schema, known: set[str]) -> None:
    if unknown := schema.keys() - known - ANNOTATIONS:
        raise _unenforced(min(unknown))


def _unenforced(keyword: str) -> UnfitError:
    return UnfitError(
        f"the keyword '{keyword}' cannot be enforced in the form in which this model calls tools;"
        " leave it out, or leave out 'strict'."
    )
