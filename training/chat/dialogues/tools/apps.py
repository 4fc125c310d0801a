"""Tools of whole apps, several of which may be offered, and questions that hold their arguments.

One file of `lexicon/apps` is an app. Behind ` => ` in a question stands what its words mean:
`all the way open => level=high`.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from training.chat.author import Author
from training.chat.dialogues.tools.catalogue import Blueprint
from training.chat.dialogues.tools.parameters import Parameter, flip, other_choices
from training.chat.dialogues.tools.schemas import NUMBERS, Argument, Filled, Tool, offered
from training.chat.dialogues.values import DRAWS
from training.chat.lexicon import FOLDER
from training.chat.phrases import expand

_SLOT = re.compile(r"\{(\w+)\}")
_NUMERIC = {"year": "integer", "percent": "integer", "amount": "number"}
"""The types of what is drawn, where they are not strings."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A way to ask for a tool."""

    pattern: str
    meant: Mapping[str, Any]
    """Arguments that its words stand for."""


@dataclass(frozen=True, slots=True)
class AppTool:
    """A tool before its names are chosen, and the questions for it."""

    blueprint: Blueprint
    parameters: dict[str, Parameter]
    required: frozenset[str]
    asks: tuple[Ask, ...]


App = tuple[AppTool, ...]


@cache
def apps() -> tuple[App, ...]:
    """Return the tools of every app."""
    return tuple(
        tuple(_tool(told) for told in tomllib.loads(path.read_text(encoding="utf-8"))["tools"])
        for path in sorted((FOLDER / "apps").glob("*.toml"))
    )


def _tool(told: dict[str, Any]) -> AppTool:
    tables: dict[str, Any] = told.get("parameters", {})
    parameters = {name: _parameter(name, table) for name, table in tables.items()}
    required = frozenset(name for name, table in tables.items() if table.get("required"))
    blueprint = Blueprint(
        names=tuple(told["names"].split()),
        says=tuple(told["says"]),
        asks=(),
        required=tuple(parameters[name] for name in parameters if name in required),
        optional=tuple(parameters[name] for name in parameters if name not in required),
        result=told["result"],
    )
    asks = tuple(_ask(each, parameters) for each in told["asks"])
    return AppTool(blueprint, parameters, required, asks)


def _parameter(name: str, table: dict[str, Any]) -> Parameter:
    names, says = (name, *table.get("also", "").split()), tuple(table["says"])
    if "options" in table:
        options = tuple(table["options"].split())
        return Parameter(names, "string", says, lambda author: author.one(options), (), (), options)
    if table.get("flag"):
        return Parameter(names, "boolean", says, flip, ())
    if "range" in table:
        least, most = table["range"]
        return Parameter(names, "integer", says, lambda author: author.number(least, most), ())
    if "tenths" in table:
        first, last = (round(10 * each) for each in table["tenths"])
        return Parameter(names, "number", says, partial(_tenths, least=first, most=last), ())
    if "draw" in table:
        kind = table["draw"]
        return Parameter(names, _NUMERIC.get(kind, "string"), says, DRAWS[kind], ())
    values = tuple(table["values"].split("|"))
    return Parameter(names, "string", says, partial(_value, values=values), ())


def _tenths(author: Author, least: int, most: int) -> float:
    tenths = author.number(least, most)
    return tenths / 10 if tenths % 10 else tenths // 10


def _value(author: Author, values: tuple[str, ...]) -> str:
    """Return one of the values, or one that nobody has heard: what is asked is to be copied."""
    value = author.one(values)
    if author.chance(0.75) or not value.replace(" ", "").isalpha():
        return value
    unheard = [author.made_up() for _ in value.split()]
    return " ".join(
        new.capitalize() if old[0].isupper() else new
        for new, old in zip(unheard, value.split(), strict=True)
    )


def _ask(text: str, parameters: Mapping[str, Parameter]) -> Ask:
    pattern, _, told = text.partition(" => ")
    pairs = [pair.partition("=") for pair in told.split(",") if pair.strip()]
    return Ask(
        pattern,
        {name.strip(): _meant(value.strip(), parameters[name.strip()]) for name, _, value in pairs},
    )


def _meant(value: str, parameter: Parameter) -> Any:
    return value if parameter.type == "string" else json.loads(value)


def offer(author: Author, tool: AppTool) -> Tool:
    """Return a tool as one caller describes it."""
    chosen: dict[str, str] = {}
    for name, parameter in tool.parameters.items():
        free = [each for each in parameter.names if each not in chosen.values()]
        chosen[name] = name if author.chance(0.6) else author.one(free or [name])
    taken = tool.parameters | _varied(author, tool)
    arguments = tuple(
        Argument(chosen[name], parameter, name in tool.required)
        for name, parameter in taken.items()
    )
    return offered(author, tool.blueprint, arguments)


def _varied(author: Author, tool: AppTool) -> dict[str, Parameter]:
    """Return one of the choices between other values, if a question is left that may name them."""
    choices = [name for name, parameter in tool.parameters.items() if parameter.choices]
    if not choices or author.chance(0.6):
        return {}
    name = author.one(choices)
    if all(name in ask.meant for ask in tool.asks):
        return {}
    return {name: other_choices(author, tool.parameters[name])}


def question(author: Author, tool: AppTool, told: Tool) -> tuple[str, list[Filled]]:
    """Return a question and the arguments that it holds."""
    by_key = dict(zip(tool.parameters, told.arguments, strict=True))
    ask = author.one([each for each in tool.asks if _is_able(each, tool, by_key)])
    pattern = expand(ask.pattern, author.rng)
    filled = {name: Filled(by_key[name], value, "") for name, value in ask.meant.items()}
    spoken: dict[str, str] = {}
    for name in dict.fromkeys(_SLOT.findall(pattern)):
        parameter = by_key[name].parameter
        value = parameter.draw(author)
        spoken[name] = _spoken(author, value, parameter)
        filled[name] = Filled(by_key[name], value, spoken[name], spoken[name])
    text = pattern.format(**spoken)
    if author.chance(0.2):
        text = text.rstrip(".?!")
    if author.chance(0.2) and text[1:2].islower() and not pattern.startswith("{"):
        text = text[0].lower() + text[1:]
    return author.ask("{t}", t=text), list(filled.values())


def _is_able(ask: Ask, tool: AppTool, arguments: Mapping[str, Argument]) -> bool:
    """Whether all that its words stand for may still be chosen."""
    return all(arguments[name].parameter == tool.parameters[name] for name in ask.meant)


def _spoken(author: Author, value: Any, parameter: Parameter) -> str:
    if isinstance(value, int) and 0 < value < len(NUMBERS) and author.chance(0.2):
        return NUMBERS[value]
    return str(value).replace("_", " ") if parameter.choices else str(value)
