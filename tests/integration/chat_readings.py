"""What an answer says, in one form, whichever door told it, at once or as a stream."""

from typing import Any

import pytest
from switchboard.chat.v1 import chat_pb2 as wire


def expected(choice):
    """What a choice of a `chat.completion` says, for a comparison."""
    message = choice["message"]
    calls = [
        (call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls", ())
    ]
    return {
        "content": message["content"] or "",
        "reasoning": message.get("reasoning_content", ""),
        "calls": calls,
        "finish": choice["finish_reason"],
        "tokens": [bytes(each["bytes"]) for each in _logprobs(choice)],
        # A prompt that was read before leads to other last bits.
        "logprobs": pytest.approx([each["logprob"] for each in _logprobs(choice)], abs=1e-3),
    }


def _logprobs(choice):
    """All tokens that a choice tells, each before those that might have stood there."""
    content = (choice["logprobs"] or {}).get("content", ())
    return [each for place in content for each in (place, *place["top_logprobs"])]


def _nothing():
    texts = {"content": "", "reasoning": ""}
    return {**texts, "calls": [], "finish": None, "tokens": [], "logprobs": []}


def joined(events):
    """What the chunks of a stream say together."""
    choices: dict[int, dict[str, Any]] = {}
    for choice in (choice for event in events for choice in event["choices"]):
        one = choices.setdefault(choice["index"], _nothing())
        delta = choice["delta"]
        one["content"] += delta.get("content") or ""
        one["reasoning"] += delta.get("reasoning_content", "")
        for call in delta.get("tool_calls", ()):
            name, arguments = call["function"].get("name"), call["function"]["arguments"]
            _call(one, call["index"], name, arguments)
        one["finish"] = choice["finish_reason"]
        one["tokens"] += [bytes(each["bytes"]) for each in _logprobs(choice)]
        one["logprobs"] += [each["logprob"] for each in _logprobs(choice)]
    return [choices[index] for index in sorted(choices)]


def _call(choice, index, name, arguments):
    if index == len(choice["calls"]):
        choice["calls"].append((name, ""))
    name, before = choice["calls"][index]
    choice["calls"][index] = (name, before + arguments)


_FINISHES = {
    wire.FINISH_REASON_UNSPECIFIED: None,
    wire.FINISH_REASON_STOP: "stop",
    wire.FINISH_REASON_LENGTH: "length",
    wire.FINISH_REASON_TOOL_CALLS: "tool_calls",
}


def typed_reading(choice):
    """What a choice of the typed door says."""
    message = choice.message
    return {
        "content": "".join(part.text for part in message.content),
        "reasoning": message.reasoning,
        "calls": [(call.name, call.arguments_json) for call in message.tool_calls],
        "finish": _FINISHES[choice.finish_reason],
        "tokens": [each.data for each in _typed_logprobs(choice)],
        "logprobs": [each.logprob for each in _typed_logprobs(choice)],
    }


def _typed_logprobs(choice):
    return [each for place in choice.logprobs for each in (place.token, *place.top)]


def typed_joined(messages):
    choices: dict[int, dict[str, Any]] = {}
    for delta in (delta for message in messages for delta in message.choices):
        one = choices.setdefault(delta.index, _nothing())
        one["content"] += delta.content
        one["reasoning"] += delta.reasoning
        for call in delta.tool_calls:
            _call(one, call.index, call.name, call.arguments_fragment)
        one["finish"] = _FINISHES[delta.finish_reason]
        one["tokens"] += [each.data for each in _typed_logprobs(delta)]
        one["logprobs"] += [each.logprob for each in _typed_logprobs(delta)]
    return [choices[index] for index in sorted(choices)]


def cost(usage):
    details = usage["completion_tokens_details"]
    return (
        usage["prompt_tokens"],
        usage["completion_tokens"],
        details["reasoning_tokens"],
        usage["total_tokens"],
    )
