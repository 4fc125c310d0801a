"""Callers' grammars in Lark's syntax: what would overwhelm the compiler is refused.

llguidance follows rules by recursion, and terminals with `&` and `~` cost it exponential time.

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

import json
import re

from services.chat.engine.grammars.schemas import fit_schema
from services.chat.engine.grammars.unfit import UnfitError

MAX_RULES = 500
MAX_GROUPS = 2000
"""Brackets: with the rules they bound the depth of recursion."""
MAX_OPERATORS = 8

_QUOTED = re.compile(r'"(?:\\.|[^"\\\n])*"|(?:#|//)[^\n]*|/(?:\\.|[^/\\])+/')
"""Texts, comments and patterns."""
_RULE = re.compile(r"^[ \t]*[!?_A-Za-z][^\n]*:", re.MULTILINE)


def check_lark(grammar: str) -> None:
    """Check that a grammar can be compiled in bounded time and memory.

    Raises:
        UnfitError: It cannot.
    """
    bare = _QUOTED.sub("", grammar)
    _check(len(_RULE.findall(bare)), MAX_RULES, "rules and terminals")
    _check(sum(map(bare.count, "([{")), MAX_GROUPS, "groups")
    _check(sum(map(bare.count, "&~")), MAX_OPERATORS, "operators '&' and '~'")
    if "@" in bare:
        raise UnfitError("it refers to another grammar by '@'; there is none.")
    for found in re.finditer(r"%json\s*", grammar):
        try:
            schema, _end = json.JSONDecoder().raw_decode(grammar, found.end())
        except ValueError:
            continue  # llguidance says where
        fit_schema(schema, is_strict=True)


def _check(count: int, most: int, what: str) -> None:
    if count > most:
        raise UnfitError(f"it has {count} {what}; the most is {most}.")
