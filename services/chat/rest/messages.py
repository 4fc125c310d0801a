"""The messages of a chat, checked one by one, in the form that templates read.

Source: https://platform.openai.com/docs/api-reference/chat/create (`messages`)
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from services.chat.rest.content import Content, check_parts, not_text
from services.chat.rest.mistakes import invalid, missing, one_of, unsupported
from services.runtime import rest
from services.runtime.errors import shown


class Called(msgspec.Struct):
    """A function that was called."""

    name: str
    arguments: str
    """JSON as the model wrote it, in a string."""


class ToolCall(msgspec.Struct):
    """A call of a tool."""

    id: str
    type: str = "function"
    function: Called | None = None


class Message(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What all messages have."""

    role: str


class SpokenMessage(Message):
    """What a developer, a system or a user says."""

    content: Content
    name: str | None = None


class AssistantMessage(Message):
    """What the model said."""

    name: str | None = None
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Called | None = None
    """The older form of a tool call."""
    audio: dict[str, Any] | None = None
    reasoning_content: str | None = None
    """What it thought, as it was told; the next two are names that others give it."""
    reasoning: str | None = None
    thinking: str | None = None


class ToolMessage(Message):
    """What a tool answered."""

    content: Content
    tool_call_id: str
    name: str | None = None


class FunctionMessage(Message):
    """What a function answered; the older form."""

    content: Content | None
    name: str


AnyMessage: TypeAlias = SpokenMessage | AssistantMessage | ToolMessage | FunctionMessage

_KINDS: dict[str, type[AnyMessage]] = {
    "developer": SpokenMessage,
    "system": SpokenMessage,
    "user": SpokenMessage,
    "assistant": AssistantMessage,
    "tool": ToolMessage,
    "function": FunctionMessage,
}


def read_messages(raw: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages with the fields that templates may read; fields that are null are left out.

    Args:
        raw: As the caller wrote them, decoded.

    Raises:
        InvalidRequestError: One is wrong; `param` is the place.
    """
    if not raw:
        raise invalid("messages", "expected at least one message.")
    messages = [_read(message, f"messages[{index}]") for index, message in enumerate(raw)]
    _check_answers(messages)
    return [msgspec.to_builtins(message) for message in messages]


def _read(raw: dict[str, Any], place: str) -> AnyMessage:
    given = rest.convert_value(raw, Message, place).role
    role = one_of(given, tuple(_KINDS), f"{place}.role")
    message = rest.convert_value(raw, _KINDS[role], place)
    if isinstance(message, AssistantMessage):
        _finish_assistant(message, place)
    if isinstance(message.content, list):
        check_parts(message.content, f"{place}.content")
    return message


def _finish_assistant(message: AssistantMessage, place: str) -> None:
    """Check what the fields of an assistant's message say together."""
    if message.audio is not None:
        raise not_text(f"{place}.audio", "audio")
    for index, call in enumerate(message.tool_calls or ()):
        _check_call(call, f"{place}.tool_calls[{index}]")
    # Some clients send back a list without calls, or one without parts beside calls.
    message.tool_calls = message.tool_calls or None
    if message.content == [] and message.tool_calls:
        message.content = None
    if message.content is None:
        message.content = message.refusal
    if message.content is None and not (message.tool_calls or message.function_call):
        raise missing(f"{place}.content")


def _check_call(call: ToolCall, place: str) -> None:
    if call.type != "function":
        raise unsupported(f"{place}.type", "there are calls of functions only.")
    if call.function is None:
        raise missing(f"{place}.function")


def _check_answers(messages: Sequence[AnyMessage]) -> None:
    """Check that tools answer nothing but what they were asked."""
    called = set[str]()
    for index, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            called.update(call.id for call in message.tool_calls or ())
        elif isinstance(message, ToolMessage) and message.tool_call_id not in called:
            raise invalid(
                f"messages[{index}].tool_call_id",
                f"no assistant message before it has a tool call {shown(message.tool_call_id)}.",
            )
