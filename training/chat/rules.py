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
    begins = r"(?<![\w.])" if told[0].isalnum() else ""
    ends = r"(?!\w)" if told[-1].isalnum() else ""
    return bool(re.search(begins + re.escape(told) + ends, answer, re.IGNORECASE))


def _is_list(answer: str, told: Mapping[str, Any]) -> bool:
    """Whether so many different things of a kind are named."""
    named = {word for word in words(told["kind"]) if _has(answer, word)}
    return bool(len(named) == told["count"])


def _is_ordered(answer: str, told: list[str]) -> bool:
    places = [
        match.start()
        for each in told
        for match in [re.search(rf"\b{re.escape(each)}\b", answer)]
        if match
    ]
    return len(places) == len(told) and places == sorted(places)


def _is_spelled(answer: str, told: str) -> bool:
    return bool(re.search(r"[\s,.\-]*[-\s,.]+".join(told), answer.lower()))


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
            and all(str(value) in str(found[key]) for key, value in told["arguments"].items())
        )
    return bool(calls[0][1] == told["arguments"])


_RULES: dict[str, Callable[[str, Any], bool]] = {
    "has": lambda answer, told: all(_has(answer, each) for each in told),
    "any": lambda answer, told: any(each.lower() in answer.lower() for each in told),
    "not": lambda answer, told: not any(_has(answer, each) for each in told),
    "exact": lambda answer, told: answer.strip().strip("\"'.") == told,
    "starts": lambda answer, told: answer.lower().lstrip("\"'").startswith(told.lower()),
    "ends": lambda answer, told: answer.lower().rstrip(".!\"' ").endswith(told.lower()),
    "upper": lambda answer, _: answer == answer.upper() and answer != answer.lower(),
    "lower": lambda answer, _: answer == answer.lower() and answer != answer.upper(),
    "list": _is_list,
    "ordered": _is_ordered,
    "spelled": _is_spelled,
    "sentences": lambda answer, told: (
        len(re.findall(r"[.!?](?:\s|$)", answer.strip())) <= told and len(answer.split()) > 4
    ),
    "words": lambda answer, told: told[0] <= len(answer.split()) <= told[1],
    "json": lambda answer, told: bool(_parsed(answer) == told),
    "json_list": lambda answer, told: bool(_parsed(answer) == told),
    "unknown": lambda answer, _: any(
        each in answer.lower() for each in ("not know", "don't know", "beyond me", "cannot")
    ),
    "call": _is_call,
    "no_call": lambda answer, _: not calls_of(answer) and "<tool" not in answer,
}
"""Rules by their names in the tables."""
