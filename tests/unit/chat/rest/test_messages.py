"""Messages of every role, and how each of their mistakes is named."""

import pytest

from services.chat.engine.templates.conventions import Conventions
from services.chat.engine.templates.messages import arrange
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.rest.refusals import missing, refusal, unsupported, wrong_type, wrong_value
from tests.unit.chat.rest.scripted import HELLO, conversation

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
CALLING = {"role": "assistant", "tool_calls": [CALL]}
TEXT = {"type": "text", "text": "a"}


def user(content):
    return {"role": "user", "content": content}


def messages(*messages):
    return conversation(messages=messages).messages


@pytest.mark.parametrize(
    "message",
    [
        {"role": "developer", "content": "a"},
        {"role": "system", "content": "a", "name": "b"},
        {"role": "system", "content": [TEXT, TEXT]},
        {"role": "user", "content": ""},
        {"role": "user", "content": [TEXT]},
        {"role": "assistant", "content": "a", "reasoning_content": "b"},
        {"role": "assistant", "content": "a", "thinking": "b"},
        {"role": "assistant", "content": "a", "reasoning": "b"},
        {"role": "assistant", "content": [TEXT, {"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": "a", "tool_calls": [CALL]},
        CALLING,
    ],
)
def test_a_message_reaches_the_template_as_it_is(message):
    assert messages(message) == [message]


@pytest.mark.parametrize(
    ("message", "read"),
    [
        (
            {"role": "user", "content": "a", "name": None, "cache_control": {"any": 1}},
            {"role": "user", "content": "a"},
        ),
        (
            {"role": "assistant", "content": None, "refusal": "I will not."},
            {"role": "assistant", "content": "I will not.", "refusal": "I will not."},
        ),
        (
            {"role": "assistant", "content": "a", "tool_calls": [], "annotations": []},
            {"role": "assistant", "content": "a"},
        ),
        ({**CALLING, "content": None, "audio": None, "refusal": None}, CALLING),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": CALL["function"]}]},
            {"role": "assistant", "tool_calls": [{**CALL, "id": "c"}]},
        ),
    ],
)
def test_what_templates_do_not_read_is_left_out(message, read):
    assert messages(message) == [read]


def test_a_tool_answers_a_call_of_any_earlier_message():
    other = {**CALLING, "tool_calls": [{**CALL, "id": "call_2"}]}
    answers = [{"role": "tool", "tool_call_id": f"call_{n}", "content": "3"} for n in (1, 2)]

    assert messages(HELLO, CALLING, other, *answers)[3:] == answers


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], wrong_value("messages", "expected at least one message.")),
        ("hello", wrong_type("messages", "an array", "a string")),
        ([HELLO, "hello"], wrong_type("messages[1]", "an object", "a string")),
        ([HELLO, {"content": "a"}], missing("messages[1].role")),
        (
            [HELLO, {"role": ["user"], "content": "a"}],
            wrong_type("messages[1].role", "a string", "an array"),
        ),
        (
            [{"role": "robot", "content": "a"}],
            wrong_value(
                "messages[0].role",
                "'robot'. Supported values are 'developer', 'system', 'user', 'assistant', 'tool'"
                " and 'function'.",
            ),
        ),
        ([HELLO, {"role": "user"}], missing("messages[1].content")),
        ([user(None)], wrong_type("messages[0].content", "a string or an array", "null")),
        ([user(["a"])], wrong_type("messages[0].content[0]", "an object", "a string")),
        ([user([TEXT, {"text": "a"}])], missing("messages[0].content[1].type")),
        (
            [user([TEXT, {"type": "text", "text": 5}])],
            wrong_type("messages[0].content[1].text", "a string", "an integer"),
        ),
        ([user([{"type": "text"}])], missing("messages[0].content[0].text")),
        ([{**HELLO, "name": 5}], wrong_type("messages[0].name", "a string or null", "an integer")),
        ([{"role": "assistant"}], missing("messages[0].content")),
        (
            [{"role": "assistant", "content": None, "tool_calls": []}],
            missing("messages[0].content"),
        ),
        (
            [{"role": "assistant", "audio": {"id": "audio_1"}}],
            wrong_value("messages[0].audio", "this model reads text only, not 'audio'."),
        ),
        (
            [{"role": "assistant", "tool_calls": [CALL, {**CALL, "function": {"name": "add"}}]}],
            missing("messages[0].tool_calls[1].function.arguments"),
        ),
        (
            [
                {
                    "role": "assistant",
                    "tool_calls": [{**CALL, "function": {"name": "add", "arguments": {}}}],
                }
            ],
            wrong_type("messages[0].tool_calls[0].function.arguments", "a string", "an object"),
        ),
        (
            [{"role": "assistant", "tool_calls": [{"function": CALL["function"]}]}],
            missing("messages[0].tool_calls[0].id"),
        ),
        (
            [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}],
            missing("messages[0].tool_calls[0].function"),
        ),
        (
            [{"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {}}]}],
            unsupported("messages[0].tool_calls[0].type", "there are calls of functions only."),
        ),
        ([HELLO, {"role": "tool", "content": "3"}], missing("messages[1].tool_call_id")),
        (
            [HELLO, {"role": "tool", "content": "3", "tool_call_id": "call_1"}, CALLING],
            wrong_value(
                "messages[1].tool_call_id",
                "no assistant message before it has a tool call 'call_1'.",
            ),
        ),
    ],
)
def test_a_mistake_names_its_place_and_what_would_be_right(given, told):
    assert refusal(conversation, messages=given) == told


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "a"}},
        {"type": ["text"], "text": "a"},
    ],
)
def test_what_is_no_text_is_refused_in_the_words_of_the_engine(part):
    given = [HELLO, user([TEXT, part])]

    with pytest.raises(InvalidRequestError) as refused:
        arrange(given, Conventions())

    assert refused.value.param == "messages[1].content[1]"
    assert refusal(conversation, messages=given) == (
        refused.value.param,
        "invalid_value",
        str(refused.value),
    )
