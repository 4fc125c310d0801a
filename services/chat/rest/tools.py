"""The functions that a model may call."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.chat.engine.conversation import MAX_TOOLS, Tool
from services.chat.rest.mistakes import check_name, invalid, missing, unsupported
from services.runtime.errors import shown


class FunctionBody(msgspec.Struct):
    """A function as the caller describes it."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    """JSON schema of the arguments, its keys in the caller's order."""
    strict: bool | None = None


class ToolBody(msgspec.Struct):
    """An element of `tools`."""

    type: str
    function: FunctionBody | None = None


def read_tools(tools: Sequence[ToolBody]) -> tuple[Tool, ...]:
    """Return the functions among the tools, which all have to be functions.

    Raises:
        InvalidRequestError: One is none, or it is described wrongly.
    """
    places = [f"tools[{index}]" for index in range(len(tools))]
    functions = [_function_of(tool, place) for tool, place in zip(tools, places, strict=True)]
    return read_functions(functions, "tools", ".function")


def read_functions(
    functions: Sequence[FunctionBody], param: str, inside: str = ""
) -> tuple[Tool, ...]:
    """Return what the engine needs to know of functions.

    Args:
        functions: As the caller describes them.
        param: The field that they are elements of.
        inside: Where in such an element the function is.

    Raises:
        InvalidRequestError: There are too many, or a name is none, or given twice.
    """
    if len(functions) > MAX_TOOLS:
        raise invalid(param, f"{len(functions)} functions; the most is {MAX_TOOLS}.")
    names = set[str]()
    for index, function in enumerate(functions):
        place = f"{param}[{index}]{inside}.name"
        check_name(function.name, place)
        if function.name in names:
            raise invalid(place, f"there are two functions {shown(function.name)}.")
        names.add(function.name)
    return tuple(
        Tool(
            function.name,
            function.description,
            function.parameters,
            bool(function.strict),
            f"{param}[{index}]{inside}.parameters",
        )
        for index, function in enumerate(functions)
    )


def check_type(kind: str, place: str) -> None:
    """Refuse a tool of another type than `function`.

    Raises:
        InvalidRequestError: It is of another.
    """
    if kind != "function":
        raise unsupported(
            f"{place}.type", f"{shown(kind)}. This server offers models function tools only."
        )


def _function_of(tool: ToolBody, place: str) -> FunctionBody:
    check_type(tool.type, place)
    if tool.function is None:
        raise missing(f"{place}.function")
    return tool.function
