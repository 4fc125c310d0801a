"""What the typed door is asked, as the models take it; every mistake names its field."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from switchboard.chat.v1 import chat_pb2

from services.chat.engine.conversation import Constraint, Conversation, Tool, ToolChoice, Wishes
from services.runtime.errors import InvalidRequestError

_MODES: Mapping[int, Literal["none", "auto", "required"]] = {
    chat_pb2.ToolChoice.MODE_NONE: "none",
    chat_pb2.ToolChoice.MODE_REQUIRED: "required",
}

_OPTIONAL = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
    "max_tokens",
    "top_logprobs",
)


def read_conversation(
    asked: chat_pb2.Conversation, generation: chat_pb2.Generation | None = None
) -> Conversation:
    """Return what is asked.

    Raises:
        InvalidRequestError: A field is wrong; `param` is its path.
    """
    generation = generation or chat_pb2.Generation()
    choice = asked.tool_choice
    is_parallel = asked.parallel_tool_calls if asked.HasField("parallel_tool_calls") else True
    return Conversation(
        messages=[
            _message(message, f"messages[{index}]") for index, message in enumerate(asked.messages)
        ],
        wishes=_wishes(generation),
        tools=tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(asked.tools)),
        tool_choice=ToolChoice(_MODES.get(choice.mode, "auto"), frozenset(choice.names) or None),
        parallel_tool_calls=is_parallel,
        constraint=_constraint(generation),
        documents=tuple(
            _object(text, f"documents_json[{index}]")
            for index, text in enumerate(asked.documents_json)
        ),
        variables=_object(asked.chat_template_kwargs_json or "{}", "chat_template_kwargs_json"),
    )


def _message(message: chat_pb2.Message, at: str) -> dict[str, Any]:
    """Return a message in OpenAI's words, which templates know."""
    match message.WhichOneof("kind"):
        case "system":
            return _spoken("system", message.system, at)
        case "developer":
            return _spoken("developer", message.developer, at)
        case "user":
            return _spoken("user", message.user, at)
        case "assistant":
            return _assistant(message.assistant, at)
        case "tool":
            told = message.tool
            content = _content(told.content, f"{at}.tool.content")
            return {"role": "tool", "tool_call_id": told.tool_call_id, "content": content}
    raise _missing(at)


def _spoken(role: str, said: Any, at: str) -> dict[str, Any]:
    spoken = {"role": role, "content": _content(said.content, f"{at}.{role}.content")}
    return spoken | ({"name": said.name} if said.name else {})


def _assistant(said: chat_pb2.AssistantMessage, at: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if said.content or not said.tool_calls:
        message["content"] = _content(said.content, f"{at}.assistant.content")
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.name:
        message["name"] = said.name
    if said.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments_json},
            }
            for call in said.tool_calls
        ]
    return message


def _content(parts: Iterable[chat_pb2.ContentPart], at: str) -> str | list[dict[str, str]]:
    """Return one text as it is, and several as parts."""
    texts = [_text(part, f"{at}[{index}]") for index, part in enumerate(parts)]
    if not texts:
        raise _missing(at)
    return texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]


def _text(part: chat_pb2.ContentPart, at: str) -> str:
    if part.WhichOneof("kind") != "text":
        raise _missing(f"{at}.text")
    return part.text


def _tool(tool: chat_pb2.Tool, at: str) -> Tool:
    param = f"{at}.parameters_json"
    parameters = _object(tool.parameters_json, param) if tool.parameters_json else None
    return Tool(tool.name, tool.description or None, parameters, tool.strict, param)


def _wishes(generation: chat_pb2.Generation) -> Wishes:
    given = {field.name: value for field, value in generation.ListFields()}
    return Wishes(
        **{name: _rounded(given[name]) for name in _OPTIONAL if name in given},
        frequency_penalty=_rounded(generation.frequency_penalty),
        presence_penalty=_rounded(generation.presence_penalty),
        logit_bias={token: _rounded(bias) for token, bias in generation.logit_bias.items()},
        stops=tuple(generation.stop),
        choices=generation.choices if generation.HasField("choices") else 1,
    )


def _rounded(value: Any) -> Any:
    """Return a float as its writer meant it: 0.7 travels as 0.699999988079071."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _constraint(generation: chat_pb2.Generation) -> Constraint | None:
    match generation.WhichOneof("constraint"):
        case "json_object":
            return Constraint("json_object", param="json_object")
        case "json_schema":
            schema = generation.json_schema
            param = "json_schema.schema_json"
            return Constraint(
                "json_schema", _json(schema.schema_json, param), strict=schema.strict, param=param
            )
        case "regex":
            return Constraint("regex", generation.regex, param="regex")
        case "lark":
            return Constraint("lark", generation.lark, param="lark")
        case "text_choices":
            return _one_of(generation.text_choices.values)
    return None


def _one_of(texts: Sequence[str]) -> Constraint:
    param = "text_choices.values"
    if not texts:
        raise _invalid(param, "expected at least one text.")
    if not all(texts):
        raise _invalid(param, "a text is empty.")
    return Constraint("choice", list(texts), param=param)


def _object(text: str, param: str) -> dict[str, Any]:
    value = _json(text, param)
    if not isinstance(value, dict):
        raise InvalidRequestError(
            f"Invalid type for '{param}': expected a JSON object.", param=param, code="invalid_type"
        )
    return value


def _json(text: str, param: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _invalid(param, f"not valid JSON: {error}.") from None


def _invalid(param: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid value for '{param}': {why}", param=param, code="invalid_value"
    )


def _missing(param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )
