"""The older form of tools: `functions`, `function_call`, and the role `function`.

Requests are turned into the newer form here, answers are written in the older one where the
request had `functions`.

Source: https://platform.openai.com/docs/api-reference/chat/create (deprecated fields)
"""

from collections.abc import Sequence
from typing import Any, Literal

from services.chat.engine.conversation import Tool, ToolChoice
from services.chat.rest.mistakes import invalid, one_of
from services.chat.rest.tool_choice import Named, named_among
from services.runtime.errors import shown

_MODES: tuple[Literal["none", "auto"], ...] = ("none", "auto")


def read_function_choice(choice: str | Named | None, functions: Sequence[Tool]) -> ToolChoice:
    """Return which function the model may or has to call.

    Raises:
        InvalidRequestError: There are no functions, or it names another.
    """
    if choice is None:
        return ToolChoice()
    if not functions:
        raise invalid("function_call", "it is only allowed when 'functions' are given.")
    if isinstance(choice, str):
        return ToolChoice(one_of(choice, _MODES, "function_call"))
    name = named_among(choice, functions, "function_call")
    return ToolChoice("required", frozenset({name}))


def in_newer_form(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages that call and answer tools where they called and answered functions.

    Raises:
        InvalidRequestError: A function answers that was not called.
    """
    last_call_of = dict[str, str]()
    newer = list[dict[str, Any]]()
    for index, message in enumerate(messages):
        if "function_call" in message:
            call = message["function_call"]
            # Nine letters and digits, as Mistral's templates want it.
            call_id = last_call_of[call["name"]] = f"call{index:05d}"
            newer.append(_calling(message, call_id))
        elif message["role"] == "function":
            newer.append(_answering(message, last_call_of, f"messages[{index}].name"))
        else:
            newer.append(message)
    return newer


def _calling(message: dict[str, Any], call_id: str) -> dict[str, Any]:
    rest = {key: value for key, value in message.items() if key != "function_call"}
    call = {"id": call_id, "type": "function", "function": message["function_call"]}
    return {**rest, "tool_calls": [*message.get("tool_calls", ()), call]}


def _answering(message: dict[str, Any], calls: dict[str, str], place: str) -> dict[str, Any]:
    name = message["name"]
    if name not in calls:
        raise invalid(place, f"no assistant message before it calls the function {shown(name)}.")
    content = message["content"] or ""
    return {"role": "tool", "tool_call_id": calls[name], "name": name, "content": content}
