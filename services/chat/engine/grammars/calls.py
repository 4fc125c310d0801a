"""Calls of tools, as a grammar: each in the model's own form, with arguments by its schema."""

from collections.abc import Sequence

from services.chat.engine.conversation import Tool
from services.chat.engine.grammars.notation import Notation, Part, Script
from services.chat.engine.grammars.parameters import ParameterWriter
from services.chat.engine.grammars.schemas import fit_schema
from services.chat.engine.grammars.unfit import UnfitError
from services.chat.engine.tool_calls.formats import CallFormat
from services.chat.engine.tool_calls.shapes import CallShape
from services.runtime.errors import InvalidRequestError

_CODE = "invalid_function_parameters"


def arguments_of(tool: Tool) -> Part:
    """Return the schema of a tool's arguments; they are always an object.

    Raises:
        UnfitError: It is none of an object, or it cannot be enforced.
    """
    schema = dict(tool.parameters or {})
    if schema.setdefault("type", "object") != "object":
        raise UnfitError("the arguments of a function are an object: 'type' is 'object'.")
    return Part({"json_schema": fit_schema(schema, is_strict=tool.strict)}, tool.param, _CODE)


def opening_of(call_format: CallFormat) -> str:
    """Return the mark with which calls begin; nothing where they begin with plain JSON."""
    trigger = call_format.shape.trigger
    return next((mark for mark in call_format.marks if trigger.startswith(mark)), "")


def openings_of(call_format: CallFormat) -> list[str]:
    """Return all marks behind which a call is looked for: words hold none of them."""
    opening, shape = opening_of(call_format), call_format.shape
    if not opening:
        return [*call_format.marks]
    # Parsers of tags begin also where the mark before the name is missing.
    return [opening, *(shape.head.split("\n")[1:] if shape.parameters else ())]


class CallWriter:
    """Writes calls into a grammar."""

    def __init__(self, script: Script, notation: Notation, shape: CallShape) -> None:
        """Begin.

        Args:
            script: Takes the rules.
            notation: How texts are written.
            shape: How calls are written.
        """
        self._script = script
        self._notation = notation
        self._shape = shape

    def write(self, tools: Sequence[Tool], opening: str, *, only_one: bool) -> str:
        """Return what refers to one call or more, behind their first mark.

        Args:
            tools: At least one.
            opening: The mark that stands before, as text; what comes before it is not written.
            only_one: Whether there is no second call.

        Raises:
            InvalidRequestError: A tool's schema cannot be enforced.
        """
        shape, literal = self._shape, self._notation.literal
        bodies = (self._body(place, tool) for place, tool in enumerate(tools))
        call = self._script.define("call", " | ".join(bodies))
        first = f"{literal(shape.trigger.removeprefix(opening))} {call}"
        more = f"({literal(shape.separator + shape.head)} {call})*"
        if only_one or not shape.can_repeat:
            more = ""
        return self._script.define("calls", f"{first} {more} {literal(shape.after)}")

    def _body(self, place: int, tool: Tool) -> str:
        """Return what refers to a call behind its head."""
        literal = self._notation.literal
        try:
            arguments = self._arguments(place, tool)
        except UnfitError as error:
            raise InvalidRequestError(
                f"Invalid value for '{tool.param}': {error}", param=tool.param, code=_CODE
            ) from None
        begin = literal(f"{tool.name}{self._shape.middle}")
        return self._script.define(
            f"call_{place}", f"{begin} {arguments} {literal(self._shape.tail)}"
        )

    def _arguments(self, place: int, tool: Tool) -> str:
        if self._shape.parameters is None:
            return self._script.embed(arguments_of(tool))
        name = f"arguments_{place}"
        writer = ParameterWriter(self._script, self._notation, self._shape.parameters, name)
        return writer.write(arguments_of(tool), is_strict=tool.strict)
