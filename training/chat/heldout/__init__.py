"""Prompts that no training dialogue has, with rules that answers must keep; one table a skill.

What goes wrong with `prompts` may be read and learned from, so that they come to flatter. The
`control` tells by how much: nobody reads the answers to it, and `evaluate` never shows them.
"""

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from training.chat.dialogue import Call, Dialogue, Message, Role

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation whose next turn is judged."""

    skill: str
    dialogue: Dialogue
    rules: dict[str, Any]


@cache
def prompts() -> tuple[Prompt, ...]:
    """Return the prompts whose answers may be read."""
    return _read(FOLDER)


@cache
def control() -> tuple[Prompt, ...]:
    """Return the prompts whose answers are counted only."""
    return _read(FOLDER / "control")


def _read(folder: Path) -> tuple[Prompt, ...]:
    return tuple(
        _prompt(path.stem, told, table.get("sets", {}))
        for path in sorted(folder.glob("*.toml"))
        for table in [tomllib.loads(path.read_text(encoding="utf-8"))]
        for told in table["prompts"]
    )


@cache
def _asked() -> frozenset[tuple[str, str]]:
    """Return the system prompt and the question of every prompt, plain."""
    return frozenset(
        (_plain(first.content if first.role == "system" else ""), _plain(last.content))
        for prompt in prompts() + control()
        for first, last in [(prompt.dialogue.messages[0], prompt.dialogue.messages[-1])]
        if last.role == "user"
    )


def is_held_out(dialogue: Dialogue) -> bool:
    """Return whether a dialogue asks what only the evaluation may ask."""
    first = dialogue.messages[0]
    system = _plain(first.content) if first.role == "system" else ""
    questions = [_plain(each.content) for each in dialogue.messages if each.role == "user"]
    return any((told, each) in _asked() for told in {system, ""} for each in questions)


def _plain(text: str) -> str:
    """Return the letters and digits of a text."""
    return "".join(filter(str.isalnum, text.lower()))


_SAID = ("system", "said", "ask", "tools", "called", "result")


def _prompt(skill: str, told: dict[str, Any], sets: dict[str, list[str]]) -> Prompt:
    messages = [Message("system", told["system"])] if "system" in told else []
    roles: tuple[Role, Role] = ("user", "assistant")
    for place, text in enumerate(told.get("said", ())):
        messages.append(Message(roles[place % 2], text))
    if "ask" in told:
        messages.append(Message("user", told["ask"]))
    if "called" in told:
        call = Call(told["called"]["name"], told["called"]["arguments"])
        messages += [Message("assistant", "", (call,)), Message("tool", told["result"])]
    tools = tuple(
        {"type": "function", "function": json.loads(each)}
        for each in sets.get(told.get("tools", ""), ())
    )
    rules = {key: value for key, value in told.items() if key not in _SAID}
    return Prompt(skill, Dialogue(tuple(messages), tools), rules)
