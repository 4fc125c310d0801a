import math

import pytest
from switchboard.chat.v1 import chat_pb2 as wire

from services.chat.engine.events import (
    ContentDelta,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallEnd,
    ToolCallStart,
)
from services.chat.models.answers import Growth, TokenLogprob, TokenText, Usage
from services.chat.models.choices import Call, Choice
from services.chat.rpc.answers import choice_of, delta_of, usage_of


def place(data, logprob, *top):
    others = (TokenText(text.decode("utf-8", "replace"), text, -1.0) for text in top)
    return TokenLogprob(TokenText("t", data, logprob), tuple(others))


def delta(*events, **fields):
    return delta_of(Growth(2, events, **fields))


def test_a_delta_holds_what_a_choice_has_grown_by():
    told = delta(ReasoningDelta("Hm."), ContentDelta("a"), ContentDelta("b"))

    assert (told.index, told.reasoning, told.content) == (2, "Hm.", "ab")
    assert told.finish_reason == wire.FINISH_REASON_UNSPECIFIED
    assert not told.tool_calls


@pytest.mark.parametrize(
    ("finish", "told"),
    [
        ("stop", wire.FINISH_REASON_STOP),
        ("length", wire.FINISH_REASON_LENGTH),
        ("tool_calls", wire.FINISH_REASON_TOOL_CALLS),
    ],
)
def test_the_last_delta_says_why_it_ended(finish, told):
    assert delta(finish=finish).finish_reason == told
    assert choice_of(0, Choice(finish=finish)).finish_reason == told


def test_calls_begin_with_their_names_and_go_on_by_their_index():
    told = delta(
        ToolCallStart(0, "c1", "find"),
        ToolCallArguments(0, '{"a"'),
        ToolCallArguments(0, ": 1}"),
        ToolCallEnd(0),
        ToolCallStart(1, "c2", "other"),
        ToolCallArguments(1, "{}"),
    )

    assert [(call.index, call.id, call.name) for call in told.tool_calls] == [
        (0, "c1", "find"),
        (1, "c2", "other"),
    ]
    assert [call.arguments_fragment for call in told.tool_calls] == ['{"a": 1}', "{}"]


def test_arguments_of_a_call_that_began_before_come_without_its_name():
    (call,) = delta(ToolCallArguments(3, "}")).tool_calls

    assert (call.index, call.id, call.name, call.arguments_fragment) == (3, "", "", "}")


def test_log_probabilities_are_told_with_the_bytes_of_tokens():
    told = delta(logprobs=(place(b"\xf0\x9f", -0.5, b"a", b"\x80"), place(b"", None)))

    first, second = told.logprobs
    assert (first.token.data, first.token.logprob) == (b"\xf0\x9f", -0.5)
    assert [each.data for each in first.top] == [b"a", b"\x80"]
    assert second.token.logprob == 0


def test_what_a_model_finds_impossible_is_told_as_that():
    (told,) = delta(logprobs=(place(b"a", -math.inf),)).logprobs

    assert told.token.logprob == -math.inf


def test_a_whole_answer_is_a_message():
    choice = Choice(
        contents=["a", "b"],
        thoughts=["Hm."],
        calls=[Call("c1", "find", ["{", "}"])],
        logprobs=[place(b"a", -1.0)],
        finish="tool_calls",
    )

    told = choice_of(4, choice)

    assert told.index == 4
    assert [part.text for part in told.message.content] == ["ab"]
    assert told.message.reasoning == "Hm."
    (call,) = told.message.tool_calls
    assert (call.id, call.name, call.arguments_json) == ("c1", "find", "{}")
    assert len(told.logprobs) == 1


def test_an_answer_without_words_has_no_content():
    assert not choice_of(0, Choice(finish="stop")).message.content


def test_the_cost_is_told_in_full():
    told = usage_of(Usage("m", 10, 4, 7, 3))

    assert (told.prompt_tokens, told.cached_tokens) == (10, 4)
    assert (told.completion_tokens, told.reasoning_tokens, told.total_tokens) == (7, 3, 17)
