"""Calls of tools as callers want them, in the form of every family; the parsers read them back."""

import functools
import json
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.chat.engine.conversation import Constraint, Conversation, Tool
from services.chat.engine.events import ContentDelta
from services.chat.engine.grammars.compiler import MAX_CHARACTERS, MAX_KEPT
from services.chat.engine.request import Grammar
from services.chat.engine.tool_calls.formats import FORMATS
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.grammar_schemas import fulfils, objects
from tests.unit.chat.grammar_walks import KINDS, MESSAGES, THINK, Model, calling
from tests.unit.chat.properties import same_examples

WEATHER = Tool(
    "get_weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"type": ["string", "null"], "enum": ["°C", "°F", None]},
            "where": {"$ref": "#/$defs/place"},
        },
        "required": ["city", "where"],
        "additionalProperties": False,
        "$defs": {
            "place": {
                "type": "object",
                "properties": {"lat": {"type": "number"}},
                "required": ["lat"],
                "additionalProperties": False,
            }
        },
    },
    strict=True,
)
NOW = Tool("now")
PLAIN = Tool("get_weather", parameters=WEATHER.parameters)

TAGGED = [name for name, each in FORMATS.items() if each.shape.parameters]

seeds = st.integers(0, 2**32)


@functools.cache
def model_of(name: str, kind: str = "special", *, thinks: bool = False) -> Model:
    call_format = FORMATS[name]
    tags = THINK if thinks and not call_format.tells_reasoning else None
    return Model(call_format, tags, kind=kind)


def content_of(model: Model, text: str, conversation: Conversation) -> str:
    events = model.events(text, conversation)
    return "".join(event.text for event in events if isinstance(event, ContentDelta))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_an_answer_that_has_to_call_is_nothing_but_calls(
    name: str, kind: str, seeded: random.Random
) -> None:
    model, shape = model_of(name, kind), FORMATS[name].shape
    conversation = calling(WEATHER, NOW)
    for _ in range(6):
        text = model.walk(model.grammar(conversation), seeded, shape.separator + shape.head)

        calls = model.calls(text, conversation)
        assert calls
        assert len(calls) == 1 or shape.can_repeat
        assert not content_of(model, text, conversation).strip()
        for tool, arguments in calls:
            assert tool in {"get_weather", "now"}
            assert fulfils(json.loads(arguments), WEATHER.parameters if tool != "now" else {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_calls_written_in_the_shape_of_a_format_are_taken(name: str, kind: str) -> None:
    model, shape = model_of(name, kind), FORMATS[name].shape
    calls = [
        ("get_weather", {"city": 'Zü"ri\\ch {[ 🚀', "unit": "°C", "where": {"lat": -47.5}}),
        ("now", {}),
        ("get_weather", {"city": "1 < 2", "days": 3, "where": {"lat": 0}}),
    ]
    text = shape.text(calls if shape.can_repeat else calls[:1])

    for conversation in (calling(WEATHER, NOW), calling(WEATHER, NOW, mode="auto")):
        assert model.takes(model.grammar(conversation), text)


@pytest.mark.parametrize("name", FORMATS)
def test_a_named_tool_is_the_only_one(name: str, seeded: random.Random) -> None:
    model, conversation = model_of(name), calling(PLAIN, NOW, names=["now"])
    for _ in range(5):
        text = model.walk(model.grammar(conversation), seeded)

        assert {tool for tool, _ in model.calls(text, conversation)} == {"now"}


@pytest.mark.parametrize("mode", ["auto", "required"])
@pytest.mark.parametrize("name", FORMATS)
def test_there_is_one_call_where_calls_are_not_to_stand_side_by_side(
    name: str, mode: str, seeded: random.Random
) -> None:
    model, shape = model_of(name), FORMATS[name].shape
    conversation = calling(PLAIN, NOW, mode=mode, parallel=False)
    for _ in range(10):
        text = model.walk(model.grammar(conversation), seeded, shape.head)

        assert len(model.calls(text, conversation)) <= 1
        assert mode == "auto" or model.calls(text, conversation)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_strict_tool_is_kept_to_where_the_model_calls_it_of_its_own_accord(
    name: str, kind: str, seeded: random.Random
) -> None:
    model, conversation = model_of(name, kind), calling(WEATHER, NOW, mode="auto")
    for begun in ("", FORMATS[name].shape.trigger) * 4:
        text = model.walk(model.grammar(conversation), seeded, begun=begun)

        calls = model.calls(text, conversation)
        assert calls or not begun
        for tool, arguments in calls:
            assert fulfils(json.loads(arguments), WEATHER.parameters if tool != "now" else {})


def guided(model: Model, *tools: Tool) -> Grammar:
    """Return what guides calls of tools of which nobody says that they are strict."""
    conversation = calling(*tools, mode="auto")
    assert model.grammars.of_conversation(conversation) is None
    new_grammar = model.grammars.of_conversation(conversation, guides_calls=True)
    assert new_grammar is not None
    return new_grammar()


@pytest.mark.parametrize("name", FORMATS)
def test_guided_calls_keep_to_their_schemas_although_nobody_asks_for_it(
    name: str, seeded: random.Random
) -> None:
    model, conversation = model_of(name), calling(PLAIN, NOW, mode="auto")
    for _ in range(4):
        grammar = guided(model, PLAIN, NOW)
        text = model.walk(grammar, seeded, begun=FORMATS[name].shape.trigger)

        calls = model.calls(text, conversation)
        assert calls
        for tool, arguments in calls:
            assert fulfils(json.loads(arguments), WEATHER.parameters if tool != "now" else {})


OPEN = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "where": {"type": "object", "properties": {"lat": {"type": "number"}}},
        "more": {"type": "object"},
        "others": {"type": "array", "items": {"$ref": "#/$defs/other"}},
    },
    "required": ["city"],
    "$defs": {"other": {"type": "object", "properties": {"id": {"type": "integer"}}}},
}


@pytest.mark.parametrize("name", FORMATS)
def test_guided_calls_have_no_keys_that_no_schema_names(name: str) -> None:
    model, tool = model_of(name), Tool("f", parameters=OPEN)

    def takes(arguments: dict[str, object]) -> bool:
        return model.takes(guided(model, tool, NOW), FORMATS[name].shape.text([("f", arguments)]))

    assert takes({"city": "a", "where": {"lat": 1}, "more": {"any": 1}, "others": [{"id": 1}]})
    assert not takes({"city": "a", "town": "b"})
    assert not takes({"city": "a", "where": {"lot": 1}})
    assert not takes({"city": "a", "others": [{"name": 1}]})
    assert not model.takes(
        guided(model, tool, NOW), FORMATS[name].shape.text([("now", {"city": "a"})])
    )


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}}, {"b": 1}),
        ({"properties": {"a": {}}, "patternProperties": {"^b": {}}}, {"b": 1}),
        ({"properties": {"a": {}}, "required": ["b"]}, {"b": 1}),
        ({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}, {"a": 1}),
        ({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, {"a": 1, "b": 1}),
        ({"$ref": "#/$defs/c", "properties": {"a": {}}, "$defs": {"c": OPEN}}, {"city": "a"}),
    ],
)
def test_guided_calls_have_all_keys_that_a_schema_means(
    parameters: dict[str, object], arguments: dict[str, object]
) -> None:
    model, text = model_of("hermes"), FORMATS["hermes"].shape.text([("f", arguments)])

    assert model.takes(guided(model, Tool("f", parameters=parameters)), text)


def test_a_strict_schema_is_left_as_it_stands() -> None:
    model, tool = model_of("hermes"), Tool("f", parameters=OPEN, strict=True)
    grammar = model.grammars.of_conversation(calling(tool), guides_calls=True)
    assert grammar is not None
    text = FORMATS["hermes"].shape.text([("f", {"city": "a", "town": "b"})])

    assert model.takes(grammar(), text)


@pytest.mark.parametrize(
    "parameters",
    [
        {"$ref": "#/no"},
        {"properties": None},
        {"properties": {"a": {"type": "any"}}},
        {"properties": {"a": {"type": "integer", "required": True}}},
        {"properties": {"a": {"minimum": "1"}}},
        {"properties": {"a": {"$ref": "#/$defs/no"}}},
        functools.reduce(lambda inner, _: {"properties": {"a": inner}}, range(60), {}),
    ],
)
def test_a_schema_that_no_grammar_follows_leaves_its_own_arguments_free(
    parameters: dict[str, object],
) -> None:
    model, shape = model_of("hermes"), FORMATS["hermes"].shape
    odd, tool = Tool("odd", parameters=parameters), Tool("f", parameters=OPEN)

    def takes(name: str, arguments: dict[str, object]) -> bool:
        return model.takes(guided(model, odd, tool), shape.text([(name, arguments)]))

    assert takes("odd", {"b": 1})
    assert takes("f", {"city": "a"})
    assert not takes("f", {"city": 1})
    assert not takes("f", {"town": "a"})
    assert not takes("g", {})
    with pytest.raises(InvalidRequestError):
        model.grammars.of_conversation(calling(odd), guides_calls=True)


def test_every_schema_that_no_grammar_follows_leaves_its_own_arguments_free() -> None:
    model, shape = model_of("hermes"), FORMATS["hermes"].shape
    odd = [Tool(f"odd_{n}", parameters={"$ref": "#/no"}) for n in range(3)]
    tool = Tool("f", parameters=OPEN)

    for each in odd:
        assert model.takes(guided(model, *odd, tool), shape.text([(each.name, {"b": 1})]))
    assert not model.takes(guided(model, *odd, tool), shape.text([("f", {"town": "a"})]))


def test_looking_for_odd_schemas_evicts_no_grammar_of_others() -> None:
    model, odd = Model(FORMATS["hermes"]), Tool("odd", parameters={"$ref": "#/no"})
    model.grammar(calling(NOW))
    many = [Tool(f"f_{n}", parameters=OPEN) for n in range(MAX_KEPT)]
    kept = [*model.grammars._compiler._kept]

    guided(model, *many, odd)

    assert [*model.grammars._compiler._kept][:-1] == kept


def test_schemas_that_are_too_much_together_leave_names_guided() -> None:
    model, shape = model_of("hermes"), FORMATS["hermes"].shape
    large = {"type": "object", "properties": {"a": {"enum": ["x" * MAX_CHARACTERS]}}}
    tools = [Tool(name, parameters=large) for name in ("f", "g")]

    assert model.takes(guided(model, *tools), shape.text([("f", {"b": 1})]))
    assert not model.takes(guided(model, *tools), shape.text([("h", {})]))


def test_nothing_is_guided_where_there_are_no_calls() -> None:
    grammars = model_of("hermes").grammars

    assert grammars.of_conversation(calling(PLAIN, mode="none"), guides_calls=True) is None
    assert grammars.of_conversation(Conversation(MESSAGES), guides_calls=True) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in {"llama3", "gpt_oss"}])
def test_words_may_come_before_a_call_but_no_mark_without_one(name: str, kind: str) -> None:
    model, shape = model_of(name, kind), FORMATS[name].shape
    conversation = calling(WEATHER, NOW, mode="auto")
    call = shape.text([("now", {})])
    opening = next(mark for mark in FORMATS[name].marks if shape.trigger.startswith(mark))

    for words in ("Let me see.\n\n", "1 < 2 [a] {b} ", f"{opening[:-1]} ", ""):
        assert model.takes(model.grammar(conversation), words + call)
        assert model.takes(model.grammar(conversation), words)
    assert not model.takes(model.grammar(conversation), f"The mark {opening} is one.")
    assert not model.takes(model.grammar(conversation), f"{call} Done.")


def test_words_of_llama_do_not_begin_like_its_calls() -> None:
    model, conversation = model_of("llama3"), calling(WEATHER, NOW, mode="auto")

    assert model.takes(model.grammar(conversation), "A set: {1, 2}.")
    assert model.takes(model.grammar(conversation), '{"name": "now", "parameters": {}}')
    assert not model.takes(model.grammar(conversation), '{"answer": 1}')
    assert not model.takes(model.grammar(conversation), "<|python_tag|>print()")


@pytest.mark.parametrize(
    ("conversation", "is_free"),
    [
        (calling(PLAIN, NOW, mode="auto"), True),
        (calling(WEATHER, NOW, mode="none"), True),
        (calling(PLAIN, NOW, mode="none", parallel=False), True),
        (calling(WEATHER, NOW, mode="auto"), False),
        (calling(PLAIN, NOW, mode="auto", names=["now"]), False),
        (calling(PLAIN, mode="auto", parallel=False), False),
    ],
)
def test_calls_are_free_where_nothing_is_asked_of_them(
    conversation: Conversation, is_free: bool
) -> None:
    assert (model_of("hermes").grammars.of_conversation(conversation) is None) == is_free


@pytest.mark.parametrize("name", FORMATS)
def test_an_answer_may_call_or_have_the_form_that_is_wanted(
    name: str, seeded: random.Random
) -> None:
    constraint = Constraint("json_schema", {"enum": [1]})
    model = model_of(name)
    conversation = calling(PLAIN, NOW, mode="auto", constraint=constraint)
    found = set[str]()
    for _ in range(25):
        text = model.walk(model.grammar(conversation), seeded)

        calls, content = model.calls(text, conversation), content_of(model, text, conversation)
        found |= {"call" if calls else content.strip()}
    assert found == {"call", "1"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "gpt_oss"])
def test_calls_come_behind_thoughts(
    name: str, is_open: bool, kind: str, seeded: random.Random
) -> None:
    model, conversation = model_of(name, kind, thinks=True), calling(WEATHER, NOW)
    call = FORMATS[name].shape.text([("now", {})])
    thoughts = f"{'' if is_open else '<think>'}\nWith {{}} or </thin>?\n</think>\n\n"

    assert model.takes(model.grammar(conversation, thinks=is_open), thoughts + call)
    for _ in range(3):
        text = model.walk(model.grammar(conversation, thinks=is_open), seeded)
        assert model.calls(text, conversation, thinks=is_open)


@same_examples
@given(
    name=st.sampled_from([*FORMATS]),
    schema=objects,
    seed=seeds,
    mode=st.sampled_from(["auto", "required"]),
)
def test_arguments_of_strict_tools_fulfil_their_schema(
    name: str, schema: dict[str, object], seed: int, mode: str
) -> None:
    model = model_of(name)
    conversation = calling(Tool("f", parameters=schema, strict=True), mode=mode)
    try:
        grammar = model.grammar(conversation)
    except InvalidRequestError:
        assume(name not in TAGGED)
        raise

    begun = FORMATS[name].shape.trigger if mode == "auto" else ""
    text = model.walk(grammar, random.Random(seed), begun=begun)

    calls = model.calls(text, conversation)
    assert calls
    for _, arguments in calls:
        assert fulfils(json.loads(arguments), schema), text


@pytest.mark.parametrize("name", TAGGED)
def test_tagged_arguments_come_in_the_order_of_the_schema(name: str, seeded: random.Random) -> None:
    model, conversation = model_of(name), calling(WEATHER)
    for _ in range(10):
        text = model.walk(model.grammar(conversation), seeded)
        for _, arguments in model.calls(text, conversation):
            keys = [*json.loads(arguments)]
            assert keys == [k for k in ("city", "days", "unit", "where") if k in keys]


@pytest.mark.parametrize("name", TAGGED)
def test_tagged_arguments_of_a_tool_without_a_schema_have_any_name(name: str) -> None:
    model, conversation = model_of(name), calling(NOW)
    text = FORMATS[name].shape.text([("now", {"größe": "1\n2", "b-c": ""})])

    assert model.takes(model.grammar(conversation), text)
    assert model.calls(text, conversation) == [("now", '{"größe": "1\\n2", "b-c": ""}')] or (
        json.loads(model.calls(text, conversation)[0][1]) == {"größe": "1\n2", "b-c": ""}
    )


def test_tools_are_called_in_channels_where_the_model_has_them() -> None:
    model, conversation = model_of("gpt_oss"), calling(WEATHER, NOW)
    call = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}<|call|>"
    thoughts = "<|channel|>analysis<|message|>Hm, 1 < 2.<|end|><|start|>assistant"

    assert model.takes(model.grammar(conversation), call)
    assert model.takes(model.grammar(conversation), thoughts + call)
    assert not model.takes(model.grammar(conversation), f"{thoughts}<|channel|>final<|message|>Hi")


def test_channels_hold_words_and_thoughts_before_a_call_of_the_models_own_accord() -> None:
    model, conversation = model_of("gpt_oss"), calling(WEATHER, NOW, mode="auto")
    call = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}<|call|>"
    thoughts = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
    words = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant"
    final = "<|channel|>final<|message|>It is late."

    for text in (call, final, thoughts + call, thoughts + words + call, words + thoughts + final):
        assert model.takes(model.grammar(conversation), text)
    assert not model.takes(model.grammar(conversation), "It is late.")


def test_the_last_channel_has_the_form_that_is_wanted() -> None:
    model = model_of("gpt_oss")
    conversation = Conversation(MESSAGES, constraint=Constraint("choice", ["yes"]))
    thoughts = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"

    for text in ("<|channel|>final<|message|>yes", f"{thoughts}<|channel|>final<|message|>yes"):
        assert model.takes(model.grammar(conversation), text)
    assert not model.takes(model.grammar(conversation), "<|channel|>final<|message|>no")
    assert not model.takes(model.grammar(conversation), "yes")


def test_a_call_may_end_with_a_token_that_ends_the_answer() -> None:
    call_format = FORMATS["gpt_oss"]
    model = Model(call_format, eos=["<|call|>", "<|return|>"])
    grammar = model.grammar(calling(NOW))
    end = model.tokenizer.token_to_id("<|call|>")
    text = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}"

    for token in model.tokenizer.encode(text).ids:
        assert not model.eos & {*model.allowed(grammar)}
        grammar.accept(token)

    assert model.allowed(grammar) == [end]
