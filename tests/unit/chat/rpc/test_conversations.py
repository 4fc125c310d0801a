import pytest
from switchboard.chat.v1 import chat_pb2 as wire

from services.chat.engine.conversation import Tool, ToolChoice, Wishes
from services.chat.rpc.conversations import read_conversation
from services.runtime.errors import InvalidRequestError


def parts(*texts):
    return [wire.ContentPart(text=text) for text in texts]


def user(*texts, **more):
    return wire.Message(user=wire.UserMessage(content=parts(*texts), **more))


def calling(*content, **more):
    call = wire.ToolCall(id="c1", name="find", arguments_json='{"a": 1}')
    assistant = wire.AssistantMessage(content=parts(*content), tool_calls=[call], **more)
    return wire.Message(assistant=assistant)


def found(*texts, call="c1"):
    return wire.Message(tool=wire.ToolMessage(tool_call_id=call, content=parts(*texts)))


def read(*messages, generation=None, **fields):
    asked = wire.Conversation(messages=messages or [user("Hi")], **fields)
    return read_conversation(asked, wire.Generation(**(generation or {})))


CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (user("Hi"), {"role": "user", "content": "Hi"}),
        (user(""), {"role": "user", "content": ""}),
        (user("Hi", name="Ann"), {"role": "user", "content": "Hi", "name": "Ann"}),
        (
            user("a", "b"),
            {"role": "user", "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        ),
        (
            wire.Message(system=wire.SystemMessage(content=parts("Be brief."))),
            {"role": "system", "content": "Be brief."},
        ),
        (
            wire.Message(developer=wire.DeveloperMessage(content=parts("Be brief."))),
            {"role": "developer", "content": "Be brief."},
        ),
        (calling(), {"role": "assistant", "content": None, "tool_calls": [CALL]}),
        (calling("Well."), {"role": "assistant", "content": "Well.", "tool_calls": [CALL]}),
        (
            calling(reasoning="Hm.", name="Bob"),
            {"role": "assistant", "content": None, "reasoning_content": "Hm.", "name": "Bob",
             "tool_calls": [CALL]},
        ),
    ],
)  # fmt: skip
def test_messages_are_told_in_the_words_that_templates_know(message, told):
    assert read(message).messages == [told]


def test_a_tools_result_belongs_to_its_call():
    *_, result = read(user("Hi"), calling(), found("1", "2")).messages

    assert result["tool_call_id"] == "c1"
    assert [part["text"] for part in result["content"]] == ["1", "2"]


def test_what_is_not_said_is_left_to_the_model():
    asked = read()

    assert asked.wishes == Wishes(frequency_penalty=0, presence_penalty=0)
    assert asked.tool_choice == ToolChoice()
    assert asked.parallel_tool_calls
    assert asked.constraint is None
    assert (asked.tools, asked.documents, asked.variables) == ((), (), {})


def test_floats_are_read_as_they_were_meant():
    asked = read(
        generation={
            "temperature": 0.7,
            "top_p": 0.95,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
            "frequency_penalty": -0.3,
            "presence_penalty": 0.1,
            "logit_bias": {5: -99.9},
        }
    )

    assert asked.wishes == Wishes(
        temperature=0.7,
        top_p=0.95,
        min_p=0.05,
        repetition_penalty=1.1,
        frequency_penalty=-0.3,
        presence_penalty=0.1,
        logit_bias={5: -99.9},
    )


def test_zeros_that_were_said_are_wishes():
    wishes = read(
        generation={"temperature": 0, "top_p": 0, "top_k": 0, "seed": 0, "top_logprobs": 0}
    ).wishes

    assert (wishes.temperature, wishes.top_p, wishes.top_k, wishes.seed) == (0, 0, 0, 0)
    assert wishes.top_logprobs == 0


def test_everything_else_of_a_generation_is_read():
    wishes = read(
        generation={"top_k": 5, "seed": -7, "max_tokens": 9, "stop": ["a", "b"], "choices": 3}
    ).wishes

    assert (wishes.top_k, wishes.seed, wishes.max_tokens) == (5, -7, 9)
    assert (wishes.stops, wishes.choices) == (("a", "b"), 3)


def test_tools_keep_the_order_of_their_parameters():
    tool = wire.Tool(name="find", description="Finds.", parameters_json='{"z": 1, "a": 2}')
    asked = read(tools=[tool, wire.Tool(name="other", strict=True)])

    assert asked.tools == (
        Tool("find", "Finds.", {"z": 1, "a": 2}),
        Tool("other", None, None, strict=True),
    )
    assert list(asked.tools[0].parameters) == ["z", "a"]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({}, ToolChoice()),
        ({"mode": wire.ToolChoice.MODE_AUTO}, ToolChoice()),
        ({"mode": wire.ToolChoice.MODE_NONE}, ToolChoice("none")),
        ({"mode": wire.ToolChoice.MODE_REQUIRED}, ToolChoice("required")),
        ({"names": ["find"]}, ToolChoice("auto", frozenset({"find"}))),
    ],
)
def test_a_choice_of_tools_is_read(choice, told):
    asked = read(tools=[wire.Tool(name="find")], tool_choice=wire.ToolChoice(**choice))

    assert asked.tool_choice == told


def test_variables_and_documents_are_json():
    asked = read(
        chat_template_kwargs_json='{"enable_thinking": false}', documents_json=['{"text": "a"}']
    )

    assert asked.variables == {"enable_thinking": False}
    assert asked.documents == ({"text": "a"},)


@pytest.mark.parametrize(
    ("generation", "kind", "value"),
    [
        ({"json_object": wire.JsonObject()}, "json_object", None),
        ({"json_schema": wire.JsonSchema(schema_json='{"a": 1}')}, "json_schema", {"a": 1}),
        ({"json_schema": wire.JsonSchema(schema_json="true")}, "json_schema", True),
        ({"regex": ""}, "regex", ""),
        ({"lark": "start: a"}, "lark", "start: a"),
        ({"text_choices": wire.TextChoices(values=["a", "b"])}, "choice", ["a", "b"]),
    ],
)
def test_what_the_content_has_to_look_like_is_read(generation, kind, value):
    constraint = read(generation=generation).constraint

    assert (constraint.kind, constraint.value, constraint.strict) == (kind, value, False)


def test_a_schema_may_be_strict():
    schema = wire.JsonSchema(schema_json="{}", strict=True)

    assert read(generation={"json_schema": schema}).constraint.strict


NO_JSON = ("{", "", "nope", '{"a": NaN}', '{"a": "\\ud83d"}', "[" * 10**5)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [wire.Message()]}, "messages[0]"),
        ({"messages": [user("Hi"), user()]}, "messages[1].user.content"),
        ({"messages": [wire.Message(system=wire.SystemMessage())]}, "messages[0].system.content"),
        (
            {"messages": [wire.Message(assistant=wire.AssistantMessage())]},
            "messages[0].assistant.content",
        ),
        (
            {"messages": [wire.Message(user=wire.UserMessage(content=[wire.ContentPart()]))]},
            "messages[0].user.content[0].text",
        ),
        ({"messages": [user("Hi"), found("1")]}, "messages[1].tool_call_id"),
        ({"messages": [user("Hi"), calling(), found()]}, "messages[2].tool.content"),
        ({"messages": [user("Hi"), calling(), found("1", call="c2")]}, "messages[2].tool_call_id"),
        ({"messages": []}, "messages"),
        ({"tools": [wire.Tool()]}, "tools[0].name"),
        ({"tools": [wire.Tool(name='a"b')]}, "tools[0].name"),
        ({"tools": [wire.Tool(name="a" * 65)]}, "tools[0].name"),
        ({"tools": [wire.Tool(name="a"), wire.Tool(name="a")]}, "tools[1].name"),
        ({"tools": [wire.Tool(name=f"f{n}") for n in range(129)]}, "tools"),
        ({"tools": [wire.Tool(name="a", parameters_json="[]")]}, "tools[0].parameters_json"),
        ({"tool_choice": wire.ToolChoice(mode=wire.ToolChoice.MODE_REQUIRED)}, "tool_choice"),
        ({"tool_choice": wire.ToolChoice(names=["a"])}, "tool_choice"),
        ({"documents_json": ["{}", "5"]}, "documents_json[1]"),
        *(({"documents_json": [text]}, "documents_json[0]") for text in NO_JSON),
        *(
            ({"chat_template_kwargs_json": text}, "chat_template_kwargs_json")
            for text in NO_JSON
            if text
        ),
        *(
            ({"generation": {"json_schema": wire.JsonSchema(schema_json=text)}},
             "json_schema.schema_json")
            for text in NO_JSON
        ),
        ({"generation": {"text_choices": wire.TextChoices()}}, "text_choices.values"),
        ({"generation": {"text_choices": wire.TextChoices(values=[""])}}, "text_choices.values"),
        ({"generation": {"temperature": float("nan")}}, "temperature"),
        ({"generation": {"temperature": float("inf")}}, "temperature"),
        ({"generation": {"top_p": -0.1}}, "top_p"),
        ({"generation": {"top_k": -1}}, "top_k"),
        ({"generation": {"top_logprobs": 21}}, "top_logprobs"),
        ({"generation": {"top_logprobs": -1}}, "top_logprobs"),
        ({"generation": {"logit_bias": {-1: 1.0}}}, "logit_bias"),
        ({"generation": {"logit_bias": {1: float("nan")}}}, "logit_bias"),
        ({"generation": {"frequency_penalty": float("-inf")}}, "frequency_penalty"),
        ({"generation": {"stop": [""]}}, "stop"),
        ({"generation": {"stop": ["a"] * 5}}, "stop"),
        ({"generation": {"max_tokens": 0}}, "max_tokens"),
        ({"generation": {"choices": 0}}, "n"),
        ({"generation": {"choices": 129}}, "n"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_names_its_field(fields, param):
    fields = dict(fields)
    generation = wire.Generation(**fields.pop("generation", {}))
    asked = wire.Conversation(**{"messages": [user("Hi")], **fields})

    with pytest.raises(InvalidRequestError) as refused:
        read_conversation(asked, generation)

    assert refused.value.param == param
    assert f"'{param}'" in str(refused.value)
