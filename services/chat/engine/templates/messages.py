"""OpenAI's messages in the form that a template wants."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.chat.engine.templates.conventions import Contents, Conventions
from services.runtime.errors import InvalidRequestError, shown

Message = Mapping[str, Any]
"""A message as OpenAI's API writes it, decoded from JSON and checked by the door."""

_REASONING = ("reasoning_content", "thinking", "reasoning")
"""The names under which clients send back what a model thought. The first is the usual one."""


def arrange(messages: Sequence[Message], conventions: Conventions) -> list[dict[str, Any]]:
    """Return the messages as the template wants them; those given stay as they are.

    Keys whose value is null are left out, as transformers does: templates write `None` for them.

    Raises:
        InvalidRequestError: A part of a content is no text; it is named.
    """
    return [_arranged(message, index, conventions) for index, message in enumerate(messages)]


def _arranged(message: Message, index: int, conventions: Conventions) -> dict[str, Any]:
    arranged = {key: value for key, value in message.items() if value is not None}
    role = arranged.get("role")
    if role == "developer" and not conventions.knows_developer:
        role = arranged["role"] = "system"
    if "content" in arranged:
        speaker = "system" if role == "developer" else str(role)
        forms = conventions.contents.get(speaker, Contents())
        arranged["content"] = _content(arranged["content"], forms, f"messages[{index}].content")
    if arranged.get("tool_calls"):
        arranged["tool_calls"] = [
            _call(call, conventions.arguments == "object") for call in arranged["tool_calls"]
        ]
        if "content" not in arranged and conventions.call_content != "absent":
            arranged["content"] = "" if conventions.call_content == "empty" else None
    return _with_reasoning(arranged)


def _content(content: Any, forms: Contents, place: str) -> Any:
    """Return a content in a form that reaches the prompt.

    Texts are joined by line breaks where the template takes no parts, as in vLLM and llama.cpp.
    """
    if isinstance(content, str):
        return content if forms.takes_text else [{"type": "text", "text": content}]
    texts = [_text(part, f"{place}[{index}]") for index, part in enumerate(content)]
    if forms.takes_parts:
        return [{"type": "text", "text": text} for text in texts]
    return "\n".join(texts)


def _text(part: Any, place: str) -> str:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            return text
    kind = part.get("type") if isinstance(part, Mapping) else part
    raise InvalidRequestError(
        f"Invalid value for '{place}': this model reads text only, not {shown(kind)}.",
        param=place,
        code="invalid_value",
    )


def _call(call: Any, wants_object: bool) -> Any:
    """Return a tool call whose arguments are in the form wanted."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or "arguments" not in function:
        return call
    arguments = function["arguments"]
    if wants_object and isinstance(arguments, str):
        arguments = _parsed(arguments)
    elif not wants_object and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": arguments}}


def _parsed(arguments: str) -> Any:
    """Return the object in a JSON text; a text that holds none stays: models write such, too."""
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments


def _with_reasoning(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message with its reasoning under every name that templates read.

    Source: transformers, `utils/chat_template_utils.py` (`_alias_reasoning_fields`)
    """
    reasoning = next((message[name] for name in _REASONING if name in message), None)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}
