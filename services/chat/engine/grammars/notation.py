"""How grammars are written for llguidance: rules of ours, and parts that callers wrote.

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.chat.engine.grammars.texts import escaped, text_without

MAX_FORCED_CHARACTERS = 2**14
"""Of a grammar whose only possible text is forced on the model in the usual tokens: it is found
byte by byte, at 4 µs each, at once as far as it goes."""

_REPEATED = re.compile(r"\)\{|\{\d{3,}")
"""What makes a short pattern stand for a long text: groups that are repeated, and many times."""
_REPEATED_IN_LARK = re.compile(r"\{\d|~ *\d")


@dataclass(frozen=True, slots=True)
class Part:
    """What a caller wrote, as a grammar of its own."""

    grammar: Mapping[str, Any]
    """With the key `json_schema` or `lark_grammar`."""
    param: str
    """The field that it came in, for messages."""
    code: str = "invalid_value"
    has_lines: bool = False
    """Whether the caller knows its lines, so that messages name them."""

    @property
    def source(self) -> str:
        """The part alone."""
        return json.dumps({"grammars": [self.grammar]})

    @property
    def may_be_long(self) -> bool:
        """Whether what it stands for may be much longer than it is."""
        repeated = _REPEATED_IN_LARK if "lark_grammar" in self.grammar else _REPEATED
        return bool(repeated.search(self.source))


@dataclass(slots=True)
class Script:
    """A grammar as it is being written."""

    parts: list[Part] = field(default_factory=list)
    _rules: list[str] = field(default_factory=list)

    def define(self, name: str, body: str) -> str:
        """Add a rule; return what refers to it."""
        self._rules.append(f"{name}: {body}")
        return name

    def embed(self, part: Part) -> str:
        """Add a part; return what refers to it."""
        self.parts.append(part)
        return f"@part{len(self.parts) - 1}"

    @property
    def source(self) -> str:
        """The grammar for llguidance."""
        source = self._written(self._rules)
        if len(source) <= MAX_FORCED_CHARACTERS and not any(p.may_be_long for p in self.parts):
            return source
        return self._written(['%llguidance {"no_forcing": true}', *self._rules])

    def _written(self, rules: list[str]) -> str:
        parts = [{"name": f"part{place}", **part.grammar} for place, part in enumerate(self.parts)]
        return json.dumps({"grammars": [{"lark_grammar": "\n".join(rules)}, *parts]})


class Notation:
    """Writes texts in Lark's syntax; marks that are one token of the model are written as that."""

    def __init__(self, tokens: Mapping[str, int]) -> None:
        """Take the marks that are one token."""
        self._tokens = tokens
        longest_first = sorted(tokens, key=len, reverse=True)
        self._marks = re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")

    def literal(self, text: str) -> str:
        """Return what matches a text to the letter; nothing for the empty one."""
        pieces = filter(None, self._marks.split(text))
        return " ".join(self._mark(p) if p in self._tokens else _quoted(p) for p in pieces)

    def text_until(self, mark: str, *, avoided: Collection[str] = (), gap: str = "") -> str:
        """Return what matches any text up to a mark, and the mark.

        Args:
            mark: What ends the text.
            avoided: Other marks that the text does not hold.
            gap: What stands between text and mark.
        """
        text = text_without({mark, *avoided}) + escaped(gap)
        if mark in self._tokens:
            return f"/{text}/ {self._mark(mark)}"
        # In one piece: a text on its own would not end before the mark's first letters.
        return f"/{text}{escaped(mark)}/"

    def _mark(self, mark: str) -> str:
        return f"<[{self._tokens[mark]}]>"


def _quoted(text: str) -> str:
    return json.dumps(text).replace("\x7f", r"\u007f")
