"""`chat.completion`: an answer that is told at once.

Source: https://platform.openai.com/docs/api-reference/chat/object
"""

from collections.abc import Sequence
from typing import Any

from services.chat.models.answers import FinishReason
from services.chat.models.choices import Call, Choice
from services.chat.rest.logprobs import logprobs_of


def chat_choices(choices: Sequence[Choice], *, has_functions: bool) -> list[dict[str, Any]]:
    """Return the field `choices`.

    Args:
        choices: What was answered.
        has_functions: Whether calls are told in the older form.
    """
    return [
        {
            "index": index,
            "message": _message(choice, has_functions=has_functions),
            "logprobs": logprobs_of(choice.logprobs),
            "finish_reason": finish_reason(choice.finish, has_functions=has_functions),
        }
        for index, choice in enumerate(choices)
    ]


def finish_reason(finish: FinishReason | None, *, has_functions: bool) -> str | None:
    """Return why an answer ended, in the older form where the request was."""
    return "function_call" if has_functions and finish == "tool_calls" else finish


def _message(choice: Choice, *, has_functions: bool) -> dict[str, Any]:
    content = None if choice.calls and not choice.content else choice.content
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    message["refusal"] = None
    if choice.calls:
        message |= _calls(choice.calls, has_functions=has_functions)
    return message | {"annotations": []}


def _calls(calls: Sequence[Call], *, has_functions: bool) -> dict[str, Any]:
    functions = [{"name": call.name, "arguments": call.arguments} for call in calls]
    if has_functions:
        # There is one call at most in the older form.
        return {"function_call": functions[0]}
    return {
        "tool_calls": [
            {"id": call.id, "type": "function", "function": function}
            for call, function in zip(calls, functions, strict=True)
        ]
    }
