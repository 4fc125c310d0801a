"""Tools as callers describe them, in JSON schema, and arguments as people say them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from training.chat.author import Author
from training.chat.dialogues.tools.catalogue import Blueprint, clash, composed, realistic
from training.chat.dialogues.tools.inventions import invented
from training.chat.dialogues.tools.parameters import Parameter, other_choices
from training.chat.dialogues.tools.plain import plain
from training.chat.lexicon import read

_SPOKEN: dict[str, str] = read("phrases/schemas")["spoken"]
"""How people say some values."""
NUMBERS: tuple[str, ...] = tuple(read("phrases/schemas")["numbers"].split())


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of one tool."""

    name: str
    parameter: Parameter
    is_required: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that a caller offers."""

    blueprint: Blueprint
    name: str
    schema: dict[str, Any]
    """As OpenAI's API takes it."""
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """An argument with a value."""

    argument: Argument
    value: Any
    said: str
    """How a question says it."""
    spoken: str = ""
    """The value alone, as a sentence has it that holds it in its middle."""


_OTHER_CHOICES = 0.4
"""How often a choice is between other values than the table has."""


def draw_tool(author: Author, blueprint: Blueprint) -> Tool:
    """Return a tool with names, descriptions and required arguments of its own."""
    taken: set[str] = set()
    arguments: list[Argument] = []
    optional = (
        author.some(blueprint.optional, 0, len(blueprint.optional)) if blueprint.optional else []
    )
    strange = author.one((0, 0, 1, 1, 2, 3)) if blueprint.required else 0
    generic = [invented(author) for _ in range(strange)]
    for parameter in (*blueprint.required, *optional, *generic):
        if name := _free_name(author, parameter, taken):
            taken.add(name)
            chance = (
                1.0 if parameter in blueprint.required else 0.3 if parameter in generic else 0.06
            )
            if parameter.choices and author.chance(_OTHER_CHOICES):
                parameter = other_choices(author, parameter)  # noqa: PLW2901
            arguments.append(Argument(name, parameter, author.chance(chance)))
    return offered(author, blueprint, tuple(arguments))


def offered(author: Author, blueprint: Blueprint, arguments: tuple[Argument, ...]) -> Tool:
    """Return a tool with these arguments as one caller describes it."""
    name = blueprint.names[0] if author.chance(0.3) else author.one(blueprint.names)
    if author.chance(0.1) and "_" in name:
        first, *rest = name.split("_")
        name = first + "".join(part.capitalize() for part in rest)
    order = list(arguments)
    if author.chance(0.3):
        author.rng.shuffle(order)
    return Tool(blueprint, name, _schema(author, name, blueprint, order), arguments)


def _free_name(author: Author, parameter: Parameter, taken: set[str]) -> str | None:
    """Return a name that no other argument has, often the first of the list."""
    free = [name for name in parameter.names if name not in taken]
    if not free:
        return None
    return free[0] if author.chance(0.35) else author.one(free)


def _realistic(author: Author, _others: Sequence[Blueprint]) -> Blueprint:
    return author.one(realistic())


_Maker = Callable[[Author, Sequence[Blueprint]], Blueprint]
_MAKERS: tuple[_Maker, ...] = (composed, plain, plain, _realistic, _realistic)
"""What makes a tool that may stand beside others; what stands twice does so twice as often."""


def draw_tools(author: Author, most: int = 4) -> list[Tool]:
    """Return some tools, no two of which a question may be meant for."""
    chosen: list[Blueprint] = []
    for _ in range(author.number(1, most)):
        blueprint = author.one(_MAKERS)(author, chosen)
        if not any(
            clash(blueprint, each) or set(blueprint.names) & set(each.names) for each in chosen
        ):
            chosen.append(blueprint)
    tools = [draw_tool(author, each) for each in chosen]
    return list({tool.name: tool for tool in tools}.values())


def _schema(
    author: Author, name: str, blueprint: Blueprint, arguments: list[Argument]
) -> dict[str, Any]:
    has_descriptions = author.chance(0.8)
    properties = {
        argument.name: _property(author, argument.parameter, has_descriptions)
        for argument in arguments
    }
    required = [argument.name for argument in arguments if argument.is_required]
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    if required or author.chance(0.7):
        parameters["required"] = required
    if author.chance(0.12):
        parameters["additionalProperties"] = False
    if author.chance(0.1) and "required" in parameters:
        parameters = {
            key: parameters[key] for key in ("type", "required", "properties")
        } | parameters
    function: dict[str, Any] = {"name": name}
    if author.chance(0.93):
        description = author.say(*blueprint.says)
        function["description"] = description + ("." if author.chance(0.5) else "")
    function["parameters"] = parameters
    return {"type": "function", "function": function}


def _property(author: Author, parameter: Parameter, is_described: bool) -> dict[str, Any]:
    table: dict[str, Any] = {"type": parameter.type}
    if parameter.choices:
        table["enum"] = list(parameter.choices)
    if is_described and author.chance(0.9):
        description = author.say(
            author.one(parameter.says).replace("{e}", str(parameter.draw(author)))
        )
        table["description"] = description + ("." if author.chance(0.3) else "")
    if author.chance(0.15):
        return {key: table[key] for key in reversed(table)}
    return table


def fill(author: Author, argument: Argument) -> Filled:
    """Return a value and how a question says it."""
    parameter = argument.parameter
    value = parameter.draw(author)
    if parameter.type == "boolean":
        return Filled(argument, value, author.say(parameter.phrases[0 if value else 1]))
    spoken = str(value)
    if spoken in _SPOKEN and parameter.choices:
        spoken = author.say(_SPOKEN[spoken])
    elif isinstance(value, int) and 0 < value < len(NUMBERS) and author.chance(0.25):
        spoken = NUMBERS[value]
    elif parameter.choices and author.chance(0.1):
        spoken = spoken.capitalize()
    return Filled(argument, value, author.say(*parameter.phrases, v=spoken), spoken)


def values(filled: list[Filled], tool: Tool) -> dict[str, Any]:
    """Return the arguments of a call, in the order of the schema."""
    by_name = {each.argument.name: each.value for each in filled}
    order = tool.schema["function"]["parameters"]["properties"]
    return {name: by_name[name] for name in order if name in by_name}
