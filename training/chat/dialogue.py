"""What the training is made of: dialogues in OpenAI's terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from training.chat.author import Author

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    content: str = ""
    calls: tuple[Call, ...] = ()

    def as_openai(self) -> dict[str, Any]:
        """Return it as a chat template reads it."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.calls:
            message["tool_calls"] = [
                {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.calls
            ]
        return message


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation whose every assistant turn is an example."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = field(default=())


Sketch = Callable[[Author], tuple[Message, ...]]
"""Draws the turns of a short exchange."""


def exchange(question: str, answer: str) -> tuple[Message, Message]:
    """Return a question and its answer."""
    return Message("user", question), Message("assistant", answer)
