"""How a model writes calls of tools, as data: what a grammar enforces and a parser reads.

before  head NAME middle ARGUMENTS tail  separator  head NAME middle ARGUMENTS tail  after
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ParameterTags:
    """Arguments that are written as one pair of tags each, and not as a JSON object."""

    key_begin: str
    key_end: str
    value_end: str
    value_begin: str = ""
    """What stands before a value; white space may come before it."""

    def text(self, arguments: dict[str, Any]) -> str:
        """Return arguments as a model writes them: texts as they are, other values as JSON."""
        return "".join(
            f"{self.key_begin}{key}{self.key_end}\n{self.value_begin}"
            f"{value if isinstance(value, str) else json.dumps(value)}"
            f"{'' if self.value_begin else chr(10)}{self.value_end}\n"
            for key, value in arguments.items()
        )


@dataclass(frozen=True, slots=True)
class CallShape:
    """How an answer that consists of calls is written."""

    head: str
    """What stands before the name of a tool."""
    middle: str
    """What stands between the name and the arguments."""
    tail: str
    """What stands behind the arguments."""
    before: str = ""
    """What stands before the first call."""
    separator: str = ""
    after: str = ""
    """What stands behind the last call."""
    parameters: ParameterTags | None = None
    """The form of the arguments; None: a JSON object."""
    can_repeat: bool = True
    """Whether one answer may hold more than one call."""

    @property
    def trigger(self) -> str:
        """The text with which every such answer begins."""
        return self.before + self.head

    def text(self, calls: Sequence[tuple[str, dict[str, Any]]]) -> str:
        """Return calls, each a name and its arguments, as a model writes them."""
        written = (
            f"{self.head}{name}{self.middle}{self._arguments(arguments)}{self.tail}"
            for name, arguments in calls
        )
        return self.before + self.separator.join(written) + self.after

    def _arguments(self, arguments: dict[str, Any]) -> str:
        if self.parameters:
            return self.parameters.text(arguments)
        return json.dumps(arguments, ensure_ascii=False)


def json_shape(
    begin: str,
    end: str,
    *,
    arguments_key: str = "arguments",
    is_list: bool = False,
    separator: str = "",
) -> CallShape:
    """Return the shape of calls that are JSON objects with a name and arguments.

    Args:
        begin: The mark before a call, or before the list of all calls.
        end: The mark behind it.
        arguments_key: The key of the arguments; that of the name is always `name`.
        is_list: Whether the marks are around one list of all calls.
        separator: What stands between calls that each have their marks.
    """
    head, middle, tail = '{"name": "', f'", "{arguments_key}": ', "}"
    if is_list:
        return CallShape(head, middle, tail, begin + "[", ", ", "]" + end)
    return CallShape(begin + head, middle, tail + end, separator=separator)
