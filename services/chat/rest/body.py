"""The body of `POST /v1/chat/completions`, and the conversation in it."""

from typing import Annotated, Any

import msgspec

from services.chat.engine.conversation import Conversation, Tool, ToolChoice
from services.chat.engine.request import MAX_TOP_LOGPROBS
from services.chat.rest.formats import read_constraint
from services.chat.rest.functions import in_newer_form, read_function_choice
from services.chat.rest.generation import GenerationBody, Positive, read_wishes
from services.chat.rest.messages import read_messages
from services.chat.rest.mistakes import invalid, one_of, unsupported
from services.chat.rest.tool_choice import Named, ToolChoiceBody, read_tool_choice
from services.chat.rest.tools import FunctionBody, ToolBody, read_functions, read_tools

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class ChatBody(GenerationBody, kw_only=True):
    """The fields that are read.

    Source: https://platform.openai.com/docs/api-reference/chat/create
    """

    messages: list[dict[str, Any]]
    max_completion_tokens: Positive | None = None
    max_tokens: Positive | None = None
    """The older name of the same limit."""
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    tools: list[ToolBody] | None = None
    tool_choice: str | ToolChoiceBody | None = None
    parallel_tool_calls: bool | None = None
    functions: list[FunctionBody] | None = None
    function_call: str | Named | None = None
    reasoning_effort: str | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None

    chat_template_kwargs: dict[str, Any] | None = None
    """An extra: variables of the model's template, such as `enable_thinking`."""
    documents: list[dict[str, Any]] | None = None
    """An extra: texts to answer from, for templates that know them."""

    @property
    def has_functions(self) -> bool:
        """Whether calls are told in the older form."""
        return bool(self.functions)


def read_conversation(body: ChatBody) -> Conversation:
    """Return what the model is asked.

    Raises:
        InvalidRequestError: A field is wrong; `param` is its path.
    """
    _check_output(body)
    tools, choice = _offer(body)
    wishes = read_wishes(body, max_tokens=_max_tokens(body), top_logprobs=_top_logprobs(body))
    return Conversation(
        messages=in_newer_form(read_messages(body.messages)),
        wishes=wishes,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=body.parallel_tool_calls is not False and not body.has_functions,
        constraint=read_constraint(body),
        documents=tuple(body.documents or ()),
        variables=_variables(body),
    )


def _check_output(body: ChatBody) -> None:
    """Refuse what is to come back as anything but text."""
    if body.modalities is not None and body.modalities != ["text"]:
        raise unsupported("modalities", 'models of this server answer in text: ["text"].')
    if body.audio is not None:
        raise unsupported("audio", "models of this server answer in text.")


def _offer(body: ChatBody) -> tuple[tuple[Tool, ...], ToolChoice]:
    if body.tools and body.functions:
        raise invalid("functions", "it is the older form of 'tools': give one of them.")
    tools = read_tools(body.tools or ())
    functions = read_functions(body.functions or (), "functions")
    choice = read_tool_choice(body.tool_choice, tools)
    older_choice = read_function_choice(body.function_call, functions)
    return (functions, older_choice) if functions else (tools, choice)


def _max_tokens(body: ChatBody) -> int | None:
    newer, older = body.max_completion_tokens, body.max_tokens
    if newer is None or older is None or newer == older:
        return older if newer is None else newer
    raise invalid(
        "max_tokens", f"{older} is not the {newer} of 'max_completion_tokens': give one of them."
    )


def _top_logprobs(body: ChatBody) -> int | None:
    if body.logprobs:
        return body.top_logprobs or 0
    if body.top_logprobs:
        raise invalid("top_logprobs", "it is only allowed when 'logprobs' is true.")
    return None


def _variables(body: ChatBody) -> dict[str, Any]:
    """Return what templates may read; what the caller names there wins."""
    variables = dict[str, Any]()
    if body.reasoning_effort is not None:
        one_of(body.reasoning_effort, EFFORTS, "reasoning_effort")
        variables["reasoning_effort"] = body.reasoning_effort
        if body.reasoning_effort == "none":
            # The switch of models that think or do not, such as Qwen3.
            variables["enable_thinking"] = False
    return variables | (body.chat_template_kwargs or {})
