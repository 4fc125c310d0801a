"""The answer to a chat that is told at once."""

import math
import time

import pytest

from services.chat.engine.events import (
    ReasoningDelta,
    ToolCallArguments,
    ToolCallEnd,
    ToolCallStart,
)
from services.runtime.rest import PART_BYTES
from tests.unit.chat.rest.scripted import ScriptedModel, grown, place, post, told


def choices(*steps):
    return told(post(ScriptedModel(steps)))["choices"]


def test_an_answer_has_every_field_in_its_place():
    answer = told(post(ScriptedModel([[grown("Hel")], [grown("lo", finish="stop")]])))

    assert answer.pop("id").startswith("chatcmpl-")
    assert abs(answer.pop("created") - time.time()) < 60
    assert answer == {
        "object": "chat.completion",
        "model": "the-model",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 7,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def test_two_answers_have_two_ids():
    model = ScriptedModel([[grown("a", finish="stop")]])

    assert told(post(model))["id"] != told(post(model))["id"]


def test_choices_stand_in_their_order_whichever_ended_first():
    first, second = choices(
        [grown("b", choice=1, finish="length")], [grown("a", choice=0, finish="stop")]
    )

    assert (first["index"], first["message"]["content"], first["finish_reason"]) == (0, "a", "stop")
    assert (second["index"], second["message"]["content"]) == (1, "b")
    assert second["finish_reason"] == "length"


def test_an_answer_of_nothing_but_calls_has_no_content():
    (choice,) = choices(
        [grown(ToolCallStart(0, "call_1", "add"), ToolCallArguments(0, '{"a":'))],
        [grown(ToolCallArguments(0, "1}"), ToolCallEnd(0), ToolCallStart(1, "call_2", "now"))],
        [grown(ToolCallArguments(1, "{}"), ToolCallEnd(1), finish="tool_calls")],
    )

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a":1}'},
            },
            {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
        ],
        "annotations": [],
    }


def test_what_is_said_before_a_call_is_told():
    (choice,) = choices([grown("Let me see.", ToolCallStart(0, "call_1", "add"), finish="length")])

    assert choice["message"]["content"] == "Let me see."
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": ""}


def test_an_answer_without_words_is_an_empty_text():
    (choice,) = choices([grown(ReasoningDelta("Hm."), finish="length")])

    assert choice["message"]["content"] == ""
    assert choice["message"]["reasoning_content"] == "Hm."


def test_log_probabilities_are_told_with_their_bytes():
    (choice,) = choices(
        [grown("é", logprobs=[place("é", -0.5, é=-0.5, e=-1.5)])],
        [grown(logprobs=[place("", -math.inf)], finish="stop")],
    )

    assert choice["logprobs"] == {
        "content": [
            {
                "token": "é",
                "logprob": -0.5,
                "bytes": [0xC3, 0xA9],
                "top_logprobs": [
                    {"token": "é", "logprob": -0.5, "bytes": [0xC3, 0xA9]},
                    {"token": "e", "logprob": -1.5, "bytes": [0x65]},
                ],
            },
            {"token": "", "logprob": -9999.0, "bytes": [], "top_logprobs": []},
        ],
        "refusal": None,
    }


@pytest.mark.parametrize("text", ["", "\0", '😀\u2028</s>\\"\n', "a" * PART_BYTES])
def test_any_text_comes_through(text):
    (choice,) = choices([grown(text, finish="stop")])

    assert choice["message"]["content"] == text
