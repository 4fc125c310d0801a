"""What the content of an answer has to look like: `response_format`, and the project's extras."""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from services.chat.engine.conversation import Constraint
from services.chat.rest.mistakes import check_name, invalid, missing, one_of


class JsonSchema(msgspec.Struct):
    """A schema with its name, which nobody reads."""

    name: str
    schema: dict[str, Any] | bool | None = None
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(msgspec.Struct):
    """The field `response_format`."""

    type: str
    json_schema: JsonSchema | None = None


class _Constrained(Protocol):
    """A body that may say what the content looks like."""

    response_format: ResponseFormat | None
    regex: str | None
    grammar: str | None
    choice: list[str] | None


def read_constraint(body: _Constrained) -> Constraint | None:
    """Return what the content has to look like; None: like anything.

    Raises:
        InvalidRequestError: A field is wrong, or two of them want something.
    """
    constraints = list(_constraints(body))
    if len(constraints) > 1:
        first, second = constraints[0].param, constraints[1].param
        raise invalid(second, f"it does not go together with '{first}'.")
    return constraints[0] if constraints else None


def _constraints(body: _Constrained) -> Iterator[Constraint]:
    if body.response_format is not None:
        yield from _formatted(body.response_format)
    if body.regex is not None:
        yield Constraint("regex", body.regex, param="regex")
    if body.grammar is not None:
        yield Constraint("lark", body.grammar, param="grammar")
    if body.choice is not None:
        if not body.choice:
            raise invalid("choice", "expected at least one text.")
        if not all(body.choice):
            raise invalid("choice", "a text is empty.")
        yield Constraint("choice", body.choice, param="choice")


def _formatted(wanted: ResponseFormat) -> Iterator[Constraint]:
    one_of(wanted.type, ("text", "json_object", "json_schema"), "response_format.type")
    if wanted.type == "json_object":
        yield Constraint("json_object")
    elif wanted.type == "json_schema":
        yield _schema(wanted.json_schema)


def _schema(wanted: JsonSchema | None) -> Constraint:
    if wanted is None:
        raise missing("response_format.json_schema")
    check_name(wanted.name, "response_format.json_schema.name")
    if wanted.schema is None:
        raise missing("response_format.json_schema.schema")
    return Constraint("json_schema", wanted.schema, strict=bool(wanted.strict))
