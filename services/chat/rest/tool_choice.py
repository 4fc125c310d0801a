"""Which of its tools a model may or has to call."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from services.chat.engine.conversation import Tool, ToolChoice
from services.chat.rest.mistakes import invalid, missing, one_of
from services.chat.rest.tools import check_type
from services.runtime.errors import shown

_MODES: tuple[Literal["none", "auto", "required"], ...] = ("none", "auto", "required")
_MODES_OF_ALLOWED: tuple[Literal["auto", "required"], ...] = ("auto", "required")


class Named(msgspec.Struct):
    """The name of a function."""

    name: str


class NamedTool(msgspec.Struct):
    """A function among the tools that are allowed."""

    type: str
    function: Named | None = None


class AllowedTools(msgspec.Struct):
    """Some of the tools, and whether one of them has to be called."""

    mode: str
    tools: list[NamedTool]


class ToolChoiceBody(msgspec.Struct):
    """The field `tool_choice` where it is more than a word."""

    type: str
    function: Named | None = None
    allowed_tools: AllowedTools | None = None


def read_tool_choice(choice: str | ToolChoiceBody | None, tools: Sequence[Tool]) -> ToolChoice:
    """Return which of the tools the model may or has to call.

    Raises:
        InvalidRequestError: There are no tools, or it names another.
    """
    if choice is None:
        return ToolChoice()
    if not tools:
        raise invalid("tool_choice", "it is only allowed when 'tools' are given.")
    if isinstance(choice, str):
        return ToolChoice(one_of(choice, _MODES, "tool_choice"))
    if choice.type == "custom":
        check_type(choice.type, "tool_choice")
    one_of(choice.type, ("function", "allowed_tools"), "tool_choice.type")
    if choice.type == "allowed_tools":
        return _allowed(choice.allowed_tools, tools)
    name = named_among(choice.function, tools, "tool_choice.function")
    return ToolChoice("required", frozenset({name}))


def named_among(named: Named | None, tools: Sequence[Tool], place: str) -> str:
    """Return the name of a function that there is.

    Raises:
        InvalidRequestError: There is none of this name; `param` is `place` with `.name`.
    """
    if named is None:
        raise missing(place)
    if not any(named.name == tool.name for tool in tools):
        raise invalid(f"{place}.name", f"there is no function {shown(named.name)} among the tools.")
    return named.name


def _allowed(allowed: AllowedTools | None, tools: Sequence[Tool]) -> ToolChoice:
    place = "tool_choice.allowed_tools"
    if allowed is None:
        raise missing(place)
    mode = one_of(allowed.mode, _MODES_OF_ALLOWED, f"{place}.mode")
    if not allowed.tools:
        raise invalid(f"{place}.tools", "expected at least one tool.")
    names = set[str]()
    for index, tool in enumerate(allowed.tools):
        check_type(tool.type, f"{place}.tools[{index}]")
        names.add(named_among(tool.function, tools, f"{place}.tools[{index}].function"))
    return ToolChoice(mode, frozenset(names))
