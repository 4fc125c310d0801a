"""Judges answers by the rules of the held-out prompts."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from services.chat.engine.events import ToolCallArguments, ToolCallStart
from services.chat.engine.tool_calls.formats import FORMATS
from training.chat.lexicon import words


def keeps(answer: str, rules: Mapping[str, Any]) -> bool:
    """Return whether an answer keeps every rule."""
    return all(_RULES[name](answer, told) for name, told in rules.items())


def calls_of(answer: str) -> list[tuple[str, Any]]:
    """Return the calls of an answer, as the service reads them: names and arguments."""
    parser = FORMATS["hermes"].new_parser({})
    names, arguments = list[str](), dict[int, str]()
    for event in (*parser.feed(answer), *parser.finish()):
        if isinstance(event, ToolCallStart):
            names.append(event.name)
        elif isinstance(event, ToolCallArguments):
            arguments[event.index] = arguments.get(event.index, "") + event.fragment
    return [(name, _parsed(arguments.get(place, ""))) for place, name in enumerate(names)]


def _has(answer: str, told: str) -> bool:
    """Whether the text is there; numbers and words stand alone."""
    begins = ends = ""
    if told[0].isalnum():
        begins = r"(?<!\w)"
    if told[0].isdecimal():
        begins += r"(?<!\d[.,])(?<!(?<!\w)[-\u2212])"
    if told[-1].isalnum():
        ends = r"(?!\w)"
    if told[-1].isdecimal():
        ends += r"(?![.,]\d)"
    return bool(re.search(begins + re.escape(told) + ends, answer, re.IGNORECASE))


_STEM_LETTERS = 4
"""So long is what words may begin with; what is shorter is a whole word."""


def _has_stem(answer: str, told: str) -> bool:
    """Whether a word begins so, as `thank` and `thanks`, or a part behind an underscore."""
    if len(told) < _STEM_LETTERS or told[-1].isdecimal():
        return _has(answer, told)
    begins = r"(?<![^\W_])" if told[0].isalnum() else ""
    return bool(re.search(begins + re.escape(told), answer, re.IGNORECASE))


def _is_list(answer: str, told: Mapping[str, Any]) -> bool:
    """Whether so many different things of a kind are named."""
    named = {word for word in words(told["kind"]) if _has(answer, word)}
    return bool(len(named) == told["count"])


def _is_ordered(answer: str, told: list[str]) -> bool:
    """Whether all are there, once each, and no other number where they are numbers."""
    found = re.findall(rf"\b(?:{'|'.join(map(re.escape, told))})\b", answer)
    numbers = re.findall(r"\d+", answer) if all(each.isdecimal() for each in told) else found
    return found == numbers == told


def _is_spelled(answer: str, told: str) -> bool:
    """Whether the letters are there one by one, and none before or behind them."""
    between = r"[\s,.\-]*[-\s,.]+"
    letters = between.join(map(re.escape, told))
    return bool(
        re.search(rf"(?<!\w)(?<!\w[-,])(?<!\w, ){letters}(?!\w)(?!(?:-|, ?)\w\b)", answer.lower())
    )


def _is_whole(answer: str, told: list[str]) -> bool:
    """Whether it is a word alone, or a sentence that holds what it should."""
    return len(answer.split()) == 1 or all(_has(answer, each) for each in told)


def _is_same(found: Any, told: Any) -> bool:
    """Whether two values of JSON are equal; true is not 1."""
    if isinstance(told, dict) and isinstance(found, dict):
        return found.keys() == told.keys() and all(_is_same(found[key], told[key]) for key in told)
    if isinstance(told, list) and isinstance(found, list):
        return len(found) == len(told) and all(map(_is_same, found, told))
    return isinstance(found, bool) == isinstance(told, bool) and bool(found == told)


def _parsed(answer: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return None


def _is_call(answer: str, told: Mapping[str, Any]) -> bool:
    calls = calls_of(answer)
    if len(calls) != 1 or calls[0][0] != told["name"]:
        return False
    if told.get("loose"):
        found = calls[0][1]
        return (
            isinstance(found, dict)
            and set(found) == set(told["arguments"])
            and all(_has(str(found[key]), str(value)) for key, value in told["arguments"].items())
        )
    return _is_same(calls[0][1], told["arguments"])


_RULES: dict[str, Callable[[str, Any], bool]] = {
    "has": lambda answer, told: all(_has(answer, each) for each in told),
    "any": lambda answer, told: any(_has_stem(answer, each) for each in told),
    "not": lambda answer, told: not any(_has(answer, each) for each in told),
    "exact": lambda answer, told: answer.strip().strip("\"'.") == told,
    "starts": lambda answer, told: bool(
        re.match(rf"{re.escape(told)}(?!\w)", answer.lstrip("\"'"), re.IGNORECASE)
    ),
    "ends": lambda answer, told: answer.lower().rstrip(".!\"' ").endswith(told.lower()),
    "upper": lambda answer, _: answer == answer.upper() and answer != answer.lower(),
    "lower": lambda answer, _: answer == answer.lower() and answer != answer.upper(),
    "list": _is_list,
    "ordered": _is_ordered,
    "spelled": _is_spelled,
    "whole": _is_whole,
    "sentences": lambda answer, told: (
        len(re.findall(r"[.!?](?:\s|$)", answer.strip())) <= told and len(answer.split()) > 4
    ),
    "words": lambda answer, told: told[0] <= len(answer.split()) <= told[1],
    "json": lambda answer, told: _is_same(_parsed(answer), told),
    "unknown": lambda answer, _: any(
        each in answer.lower() for each in ("not know", "don't know", "beyond me", "cannot")
    ),
    "call": _is_call,
    "no_call": lambda answer, _: not calls_of(answer) and "<tool" not in answer,
}
"""Rules by their names in the tables."""
