"""Phrases with alternatives: `(Please|Kindly|) spell {word}` is three of them.

Alternatives stand in round brackets and nest; `{slots}` are left for the caller. A bracket that is
meant is written with a backslash. It knows no words.
"""

import re
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

_SPECIAL = re.compile(r"\\[()|]|[()|]")

Parts = tuple[Any, ...]
"""Texts and choices in order; a choice is a tuple of such sequences."""


def expand(pattern: str, rng: Random) -> str:
    """Return one of the phrases that a pattern stands for."""
    return "".join(_expanded(_parse(pattern), rng))


def _expanded(parts: Parts, rng: Random) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            yield from _expanded(rng.choice(part), rng)


@cache
def _parse(pattern: str) -> Parts:
    """Take a pattern apart."""
    stack: list[list[list[Any]]] = [[[]]]
    end = 0
    for mark in _SPECIAL.finditer(pattern):
        stack[-1][-1].append(pattern[end : mark.start()])
        end = mark.end()
        match mark[0]:
            case "(":
                stack.append([[]])
            case "|":
                assert len(stack) > 1, f"an alternative outside of brackets: {pattern!r}"
                stack[-1].append([])
            case ")":
                choice = tuple(tuple(each) for each in stack.pop())
                assert stack, f"a bracket too many: {pattern!r}"
                stack[-1][-1].append(choice)
            case escaped:
                stack[-1][-1].append(escaped[1])
    assert len(stack) == 1, f"a bracket too few: {pattern!r}"
    stack[-1][-1].append(pattern[end:])
    return tuple(part for part in stack[0][0] if part != "")
