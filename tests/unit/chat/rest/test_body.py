"""What is in the body of a chat, and how each of its mistakes is named."""

import contextlib

import msgspec
import pytest

from services.chat.engine.conversation import Wishes
from services.chat.rest.body import ChatBody, read_conversation
from services.chat.rest.generation import IGNORED
from services.runtime import rest
from services.runtime.calls import Call
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.rest.refusals import refusal, unsupported, wrong_type, wrong_value
from tests.unit.chat.rest.scripted import HELLO, conversation


def test_a_bare_request_leaves_everything_to_the_model():
    asked = conversation()

    assert asked.messages == [HELLO]
    assert asked.wishes == Wishes()
    assert asked.tools == ()
    assert asked.constraint is None
    assert asked.variables == {}
    assert asked.parallel_tool_calls


def test_null_is_the_same_as_nothing_in_every_optional_field():
    optional = [name for name in ChatBody.__struct_fields__ if name not in {"model", "messages"}]

    assert conversation(**dict.fromkeys(optional)) == conversation()


def test_every_wish_reaches_the_model():
    asked = conversation(
        temperature=0,
        top_p=0.5,
        n=3,
        stop=["a", "b"],
        seed=-(2**63),
        frequency_penalty=1,
        presence_penalty=-1.5,
        logit_bias={"7": -100, "50256": 1.5},
        logprobs=True,
        top_logprobs=4,
        max_completion_tokens=9,
        top_k=40,
        min_p=0.1,
        repetition_penalty=1.1,
    )

    assert asked.wishes == Wishes(
        temperature=0,
        top_p=0.5,
        choices=3,
        stops=("a", "b"),
        seed=-(2**63),
        frequency_penalty=1,
        presence_penalty=-1.5,
        logit_bias={7: -100, 50256: 1.5},
        top_logprobs=4,
        max_tokens=9,
        top_k=40,
        min_p=0.1,
        repetition_penalty=1.1,
    )


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"stop": "end"}, "stops", ("end",)),
        ({"stop": []}, "stops", ()),
        ({"max_tokens": 5}, "max_tokens", 5),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", 5),
        ({"logprobs": True}, "top_logprobs", 0),
        ({"logprobs": False, "top_logprobs": 0}, "top_logprobs", None),
        ({"top_k": -1}, "top_k", 0),
    ],
)
def test_forms_of_a_wish_come_to_one(body, field, value):
    assert getattr(conversation(**body).wishes, field) == value


@pytest.mark.parametrize(
    ("body", "variables"),
    [
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"reasoning_effort": "none"}, {"reasoning_effort": "none", "enable_thinking": False}),
        (
            {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": True, "a": 1}},
            {"reasoning_effort": "none", "enable_thinking": True, "a": 1},
        ),
    ],
)
def test_templates_read_the_effort_and_what_the_caller_adds(body, variables):
    assert conversation(**body).variables == variables


def test_documents_reach_the_template():
    documents = [{"title": "a", "text": "b"}]

    assert conversation(documents=documents).documents == tuple(documents)


def test_fields_of_the_hosted_service_are_ignored_whatever_they_hold():
    asked = conversation(**{name: {"any": "thing"} for name in IGNORED}, modalities=["text"])

    assert asked == conversation()


def test_an_unknown_field_passes_unless_the_call_is_strict():
    body = b'{"model": "m", "messages": [], "temprature": 1}'

    rest.decode(body, ChatBody, Call("/a.B/C", "id"), ignored=IGNORED)
    with pytest.raises(InvalidRequestError) as refused:
        rest.decode(body, ChatBody, Call("/a.B/C", "id", strict=True), ignored=IGNORED)

    assert refused.value.param == "temprature"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model": 5}, wrong_type("model", "a string", "an integer")),
        ({"temperature": "1"}, wrong_type("temperature", "a number or null", "a string")),
        ({"temperature": 3}, wrong_value("temperature", "3.0 should be between 0 and 2.")),
        ({"top_p": -0.5}, wrong_value("top_p", "-0.5 should be between 0 and 1.")),
        (
            {"frequency_penalty": 3},
            wrong_value("frequency_penalty", "3.0 should be between -2 and 2."),
        ),
        (
            {"presence_penalty": True},
            wrong_type("presence_penalty", "a number or null", "a boolean"),
        ),
        ({"n": 0}, wrong_value("n", "0 should be between 1 and 128.")),
        ({"n": 1.5}, wrong_type("n", "an integer or null", "a number")),
        ({"seed": 2**63}, wrong_value("seed", "expected an integer <= 9223372036854775807.")),
        (
            {"stop": ["1", "2", "3", "4", "5"]},
            wrong_value("stop", "5 stop strings; the most is 4."),
        ),
        ({"stop": ["a", 5]}, wrong_type("stop[1]", "a string", "an integer")),
        (
            {"logit_bias": {"hello": 1}},
            wrong_value("logit_bias", "the key 'hello' is no token id, such as '1024'."),
        ),
        ({"logit_bias": {"7": "a"}}, wrong_type("logit_bias", "a number", "a string")),
        (
            {"logit_bias": {"7": 101}},
            wrong_value("logit_bias", "101.0 should be between -100.0 and 100.0."),
        ),
        ({"logit_bias": [7]}, wrong_type("logit_bias", "an object or null", "an array")),
        ({"logprobs": 5}, wrong_type("logprobs", "a boolean or null", "an integer")),
        (
            {"logprobs": True, "top_logprobs": 21},
            wrong_value("top_logprobs", "expected an integer <= 20."),
        ),
        (
            {"top_logprobs": 3},
            wrong_value("top_logprobs", "it is only allowed when 'logprobs' is true."),
        ),
        (
            {"max_completion_tokens": 0},
            wrong_value("max_completion_tokens", "expected an integer >= 1."),
        ),
        (
            {"max_tokens": 5, "max_completion_tokens": 6},
            wrong_value(
                "max_tokens", "5 is not the 6 of 'max_completion_tokens': give one of them."
            ),
        ),
        (
            {"stream_options": {"include_usage": True}},
            wrong_value("stream_options", "it is only allowed when 'stream' is true."),
        ),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            wrong_type("stream_options.include_usage", "a boolean or null", "an integer"),
        ),
        ({"stream": "yes"}, wrong_type("stream", "a boolean or null", "a string")),
        (
            {"modalities": ["text", "audio"]},
            unsupported("modalities", 'models of this server answer in text: ["text"].'),
        ),
        (
            {"audio": {"voice": "alloy", "format": "wav"}},
            unsupported("audio", "models of this server answer in text."),
        ),
        (
            {"reasoning_effort": "extreme"},
            wrong_value(
                "reasoning_effort",
                "'extreme'. Supported values are 'none', 'minimal', 'low', 'medium', 'high',"
                " 'xhigh' and 'max'.",
            ),
        ),
        (
            {"chat_template_kwargs": []},
            wrong_type("chat_template_kwargs", "an object or null", "an array"),
        ),
        ({"documents": ["text"]}, wrong_type("documents[0]", "an object", "a string")),
        ({"top_k": -2}, wrong_value("top_k", "-2 should be between 0 and 2147483648.")),
    ],
)
def test_a_mistake_names_its_field_and_what_would_be_right(body, told):
    assert refusal(conversation, **body) == told


ANYTHING = [
    *(None, True, 5, -1.5, 10**30, "", "a"),
    *([], ["a"], [5], [[]], [[{}]], [None], {}, {"a": 1}, {"type": {}}, {"type": "function"}),
    [{"role": "assistant", "content": [{"type": {}}]}],
    [{"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}],
    [{"type": "function", "function": {"name": [], "parameters": []}}],
    {"type": "json_schema", "json_schema": {"name": "a", "schema": []}},
    {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}]}},
]


@pytest.mark.parametrize("field", sorted({*ChatBody.__struct_fields__, "unknown"}))
def test_whatever_stands_in_a_field_is_read_or_refused(field):
    tools = {"tools": [{"type": "function", "function": {"name": "add"}}], "stream": True}
    body = {"model": "m", "messages": [HELLO], **tools}
    call = Call("/a.B/C", "id")

    for value in ANYTHING:
        raw = msgspec.json.encode({**body, field: value})
        with contextlib.suppress(InvalidRequestError):
            assert read_conversation(rest.decode(raw, ChatBody, call, ignored=IGNORED)).messages
