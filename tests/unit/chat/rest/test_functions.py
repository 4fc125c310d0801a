"""The older form of tools, in requests and in answers."""

import pytest

from services.chat.engine.conversation import Tool, ToolChoice
from services.chat.engine.events import ToolCallArguments, ToolCallEnd, ToolCallStart
from tests.unit.chat.rest.refusals import missing, refusal, wrong_value
from tests.unit.chat.rest.scripted import (
    HELLO,
    ScriptedModel,
    conversation,
    events,
    grown,
    post,
    told,
)

FUNCTIONS = [{"name": "add", "parameters": {"type": "object"}}]
CALLING = {
    "role": "assistant",
    "content": None,
    "function_call": {"name": "add", "arguments": '{"a":1}'},
}


def test_functions_are_tools_that_are_called_one_at_a_time():
    asked = conversation(functions=FUNCTIONS)

    assert asked.tools == (Tool("add", None, {"type": "object"}),)
    assert asked.tool_choice == ToolChoice("auto")
    assert not asked.parallel_tool_calls


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ("none", ToolChoice("none")),
        ("auto", ToolChoice("auto")),
        ({"name": "add"}, ToolChoice("required", frozenset({"add"}))),
    ],
)
def test_a_function_is_chosen_as_a_tool_is(choice, read):
    assert conversation(functions=FUNCTIONS, function_call=choice).tool_choice == read


def test_a_function_answers_the_last_call_of_its_name():
    answer = {"role": "function", "name": "add", "content": "3"}

    messages = conversation(messages=[HELLO, CALLING, answer, CALLING, answer]).messages

    ids = [message["tool_calls"][0]["id"] for message in messages[1::2]]
    assert ids == ["call00001", "call00003"]
    assert messages[1] == {
        "role": "assistant",
        "tool_calls": [
            {"id": ids[0], "type": "function", "function": CALLING["function_call"]},
        ],
    }
    assert messages[2::2] == [
        {"role": "tool", "tool_call_id": call_id, "name": "add", "content": "3"} for call_id in ids
    ]


def test_a_function_may_answer_nothing():
    answer = {"role": "function", "name": "add", "content": None}

    assert conversation(messages=[CALLING, answer]).messages[1]["content"] == ""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"functions": [*FUNCTIONS, *FUNCTIONS]},
            wrong_value("functions[1].name", "there are two functions 'add'."),
        ),
        (
            {
                "functions": FUNCTIONS,
                "tools": [{"type": "function", "function": {"name": "add"}}],
            },
            wrong_value("functions", "it is the older form of 'tools': give one of them."),
        ),
        (
            {"function_call": "auto"},
            wrong_value("function_call", "it is only allowed when 'functions' are given."),
        ),
        (
            {"functions": FUNCTIONS, "tool_choice": "auto"},
            wrong_value("tool_choice", "it is only allowed when 'tools' are given."),
        ),
        (
            {"functions": FUNCTIONS, "function_call": "required"},
            wrong_value("function_call", "'required'. Supported values are 'none' and 'auto'."),
        ),
        (
            {"functions": FUNCTIONS, "function_call": {"name": "subtract"}},
            wrong_value("function_call.name", "there is no function 'subtract' among the tools."),
        ),
        (
            {"messages": [HELLO, {"role": "function", "name": "add", "content": "3"}]},
            wrong_value(
                "messages[1].name", "no assistant message before it calls the function 'add'."
            ),
        ),
        (
            {"messages": [CALLING, {"role": "function", "content": "3"}]},
            missing("messages[1].name"),
        ),
    ],
)
def test_a_mistake_names_its_field_and_what_would_be_right(body, told):
    assert refusal(conversation, **body) == told


def calling_model():
    return ScriptedModel(
        [
            [grown(ToolCallStart(0, "call_1", "add"), ToolCallArguments(0, '{"a"'))],
            [grown(ToolCallArguments(0, ":1}"), ToolCallEnd(0), finish="tool_calls")],
        ]
    )


def test_a_call_is_told_in_the_older_form_where_the_request_was():
    (choice,) = told(post(calling_model(), functions=FUNCTIONS))["choices"]

    assert choice["finish_reason"] == "function_call"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "add", "arguments": '{"a":1}'},
        "annotations": [],
    }


def test_a_call_is_streamed_in_the_older_form_where_the_request_was():
    chunk = (
        '{{"id":"ID","object":"chat.completion.chunk","created":0,"model":"the-model",'
        '"system_fingerprint":null,"choices":[{{"index":0,"delta":{},"logprobs":null,'
        '"finish_reason":{}}}]}}'
    )

    assert events(post(calling_model(), functions=FUNCTIONS, stream=True)) == [
        chunk.format('{"role":"assistant","content":""}', "null"),
        chunk.format('{"function_call":{"name":"add","arguments":""}}', "null"),
        chunk.format('{"function_call":{"arguments":"{\\"a\\""}}', "null"),
        chunk.format('{"function_call":{"arguments":":1}"}}', "null"),
        chunk.format("{}", '"function_call"'),
        "[DONE]",
    ]
