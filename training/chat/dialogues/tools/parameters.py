"""What tools take: each kind of argument with its names, its values and how people say it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from training.chat.author import Author
from training.chat.dialogues.values import DRAWS, Draw
from training.chat.lexicon import read, vocabulary, words

_TABLE: dict[str, Any] = read("phrases/parameters")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A kind of argument."""

    names: tuple[str, ...]
    type: str
    says: tuple[str, ...]
    """Descriptions."""
    draw: Draw
    phrases: tuple[str, ...]
    """How a question says it, `{v}` being the value; of a flag, for true and for false."""
    ask: tuple[str, ...] = ()
    """How the assistant asks for it; never, where there is nothing."""
    choices: tuple[str, ...] = ()


@cache
def parameter(kind: str) -> Parameter:
    """Return the parameter of a kind: a value, one of a few choices, or a flag."""
    if kind in _TABLE["kinds"]:
        return _valued(kind, _TABLE["kinds"][kind])
    if kind in _TABLE["choices"]:
        return _chosen(_TABLE["choices"][kind])
    return _flag(_TABLE["flags"][kind])


@cache
def enums() -> tuple[Parameter, ...]:
    """Return every parameter with choices."""
    return tuple(map(parameter, _TABLE["choices"]))


@cache
def flags() -> tuple[Parameter, ...]:
    """Return every flag."""
    return tuple(map(parameter, _TABLE["flags"]))


def _valued(kind: str, told: dict[str, Any]) -> Parameter:
    names = tuple(told["names"].split())
    phrases, ask = tuple(told["phrases"]), tuple(told["ask"])
    return Parameter(names, told["type"], tuple(told["says"]), _drawn(kind, told), phrases, ask)


def _drawn(kind: str, told: dict[str, Any]) -> Draw:
    """Return what draws values: from a list, between two numbers, or as another kind does."""
    if "values" in told:
        options = tuple(told["values"].split("|"))
        return lambda author: author.one(options)
    if "range" in told:
        least, most = told["range"]
        return lambda author: author.number(least, most)
    return DRAWS[told.get("draw", kind)]


def _chosen(told: dict[str, Any]) -> Parameter:
    names: tuple[str, ...] = tuple(told["names"].split())
    options: tuple[str, ...] = tuple(told["options"].split())
    ask = (f"Which {names[0].replace('_', ' ')} would you like: {{options}}?",)
    says, phrases = tuple(told["says"]), tuple(told["phrases"])
    return Parameter(names, "string", says, choice(options), phrases, ask, options)


def choice(options: Sequence[str]) -> Draw:
    """Return what draws one of some values."""
    return lambda author: author.one(options)


_KINDS = ("colors", "adjectives", "animals", "places", "fruits", "sports")


def options(author: Author) -> tuple[str, ...]:
    """Return values that a choice may have: of one kind, of any, or such as nobody has heard."""
    kind = author.rng.random()
    if kind < 0.4:
        return tuple(author.some(words(author.one(_KINDS)), 2, 5))
    if kind < 0.85:
        return tuple(author.some(vocabulary(), 2, 5))
    return tuple(dict.fromkeys(author.made_up() for _ in range(author.number(2, 5))))


def other_choices(author: Author, parameter: Parameter) -> Parameter:
    """Return a choice between other values, so that choices are read, not remembered."""
    others = options(author)
    return replace(parameter, draw=choice(others), choices=others)


def _flag(told: dict[str, Any]) -> Parameter:
    phrases = (told["true"], told["false"])
    return Parameter(tuple(told["names"].split()), "boolean", tuple(told["says"]), flip, phrases)


def flip(author: Author) -> bool:
    """Return the value of a flag."""
    return author.chance(0.55)
