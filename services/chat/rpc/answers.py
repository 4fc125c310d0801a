"""What the models tell, as the typed door answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from switchboard.chat.v1 import chat_pb2

from services.chat.engine.events import (
    ContentDelta,
    Event,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallStart,
)
from services.chat.models.answers import (
    FinishReason,
    Growth,
    TokenLogprob,
    TokenText,
    Usage,
)
from services.chat.models.choices import Choice

_FINISH_REASONS: Mapping[FinishReason, chat_pb2.FinishReason.ValueType] = {
    "stop": chat_pb2.FINISH_REASON_STOP,
    "length": chat_pb2.FINISH_REASON_LENGTH,
    "tool_calls": chat_pb2.FINISH_REASON_TOOL_CALLS,
}


def delta_of(growth: Growth) -> chat_pb2.ChoiceDelta:
    """Return what a choice has grown by."""
    delta = chat_pb2.ChoiceDelta(index=growth.choice, logprobs=_logprobs(growth.logprobs))
    for event in growth.events:
        _add(delta, event)
    if growth.finish is not None:
        delta.finish_reason = _FINISH_REASONS[growth.finish]
    return delta


def _add(delta: chat_pb2.ChoiceDelta, event: Event) -> None:
    match event:
        case ContentDelta(text):
            delta.content += text
        case ReasoningDelta(text):
            delta.reasoning += text
        case ToolCallStart(index, call_id, name):
            delta.tool_calls.add(index=index, id=call_id, name=name)
        case ToolCallArguments(index, fragment):
            if not delta.tool_calls or delta.tool_calls[-1].index != index:
                delta.tool_calls.add(index=index)
            delta.tool_calls[-1].arguments_fragment += fragment


def usage_of(usage: Usage) -> chat_pb2.ChatUsage:
    """Return the cost."""
    return chat_pb2.ChatUsage(
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        total_tokens=usage.total_tokens,
    )


def choice_of(index: int, choice: Choice) -> chat_pb2.Choice:
    """Return a whole answer."""
    assert choice.finish is not None, "an answer that is told has ended"
    calls = [
        chat_pb2.ToolCall(id=call.id, name=call.name, arguments_json=call.arguments)
        for call in choice.calls
    ]
    return chat_pb2.Choice(
        index=index,
        message=chat_pb2.AssistantMessage(
            content=[chat_pb2.ContentPart(text=choice.content)] if choice.content else [],
            reasoning=choice.reasoning,
            tool_calls=calls,
        ),
        finish_reason=_FINISH_REASONS[choice.finish],
        logprobs=_logprobs(choice.logprobs),
    )


def _logprobs(tokens: Iterable[TokenLogprob]) -> list[chat_pb2.TokenLogprob]:
    return [
        chat_pb2.TokenLogprob(token=_token(each.token), top=map(_token, each.top))
        for each in tokens
    ]


def _token(token: TokenText) -> chat_pb2.TokenText:
    return chat_pb2.TokenText(data=token.data, logprob=token.logprob or 0.0)
