"""Content in the form that a caller wants, also behind thoughts."""

import json
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.chat.engine.conversation import Constraint, Conversation
from services.chat.engine.events import ContentDelta, ReasoningDelta
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.grammar_schemas import fulfils, objects, schemas
from tests.unit.chat.grammar_walks import KINDS, MESSAGES, THINK, Model, wanting
from tests.unit.chat.properties import same_examples

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            },
            "required": ["value", "children"],
            "additionalProperties": False,
        }
    },
}

seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@same_examples
@given(schema=schemas, seed=seeds)
def test_every_answer_to_a_strict_schema_fulfils_it(
    schema: object, seed: int, model: Model
) -> None:
    text = model.walk(model.grammar(wanting("json_schema", schema)), random.Random(seed))

    assert fulfils(json.loads(text), schema), text


@same_examples
@given(schema=objects, seed=seeds)
def test_properties_come_in_the_order_of_the_schema(
    schema: dict[str, dict[str, object]], seed: int, model: Model
) -> None:
    text = model.walk(model.grammar(wanting("json_schema", schema)), random.Random(seed))

    value = json.loads(text)
    assume(value)
    named = [name for name in value if name in schema["properties"]]
    assert named == [name for name in schema["properties"] if name in value]
    assert [*value][: len(named)] == named, "others come last"


@same_examples
@given(seed=seeds)
def test_an_object_of_any_kind_is_an_object(seed: int, model: Model) -> None:
    text = model.walk(model.grammar(wanting("json_object")), random.Random(seed))

    assert isinstance(json.loads(text), dict)


def test_a_schema_may_refer_to_itself(model: Model, seeded: random.Random) -> None:
    text = '{"value": 1, "children": [{"value": 2, "children": []}]}'

    assert model.takes(model.grammar(wanting("json_schema", TREE)), text)
    for _ in range(20):
        walked = model.walk(model.grammar(wanting("json_schema", TREE)), seeded)
        assert fulfils(json.loads(walked), TREE)


@pytest.mark.parametrize("indent", [None, 1, 2, 4, "\t"])
def test_json_may_be_written_as_models_write_it(indent: str | int | None, model: Model) -> None:
    value = {"name": "Zoë", "age": 7, "tags": ["a", "b"]}
    text = json.dumps(value, indent=indent, ensure_ascii=False)

    for written in (text, f"\n\n{text}", text.replace(": ", ":").replace(", ", ",")):
        assert model.takes(model.grammar(wanting("json_schema", PERSON)), written)


@pytest.mark.parametrize(
    "text",
    [
        '{  "name": "a", "age": 7}',
        '{\n\n"name": "a", "age": 7}',
        '{"name": "a", "age": 7} ',
        '{"name": "a", "age": 7}\n',
        " " * 20 + '{"name": "a", "age": 7}',
        'Here: {"name": "a", "age": 7}',
    ],
)
def test_blanks_have_an_end_and_nothing_else_is_around(text: str, model: Model) -> None:
    assert not model.takes(model.grammar(wanting("json_schema", PERSON)), text)


@pytest.mark.parametrize(
    "keywords",
    [
        {"not": {"type": "null"}},
        {"uniqueItems": True},
        {"dependentRequired": {"a": ["b"]}},
        {"if": {}, "then": {}},
        {"oneOf": [{"minimum": 1}, {"minimum": 2}]},
        {"format": "color"},
        {"pattern": "(?=a)b"},
        {"pattern": r"(.)\1"},
        {"patternProperties": {"^(?!a)": {"type": "string"}}},
        {"minProperties": 1, "properties": {"a": {}}},
        {"allOf": [{"pattern": f"a.{{{n}}}b"} for n in range(9)]},
    ],
)
def test_what_cannot_be_enforced_is_left_out_where_a_schema_is_not_strict(
    keywords: dict[str, object], model: Model, seeded: random.Random
) -> None:
    schema = {"type": ["object", "array", "integer", "string"], **keywords}

    text = model.walk(model.grammar(wanting("json_schema", schema, strict=False)), seeded)

    assert fulfils(json.loads(text), {"type": schema["type"]})
    with pytest.raises(InvalidRequestError):
        model.grammars.of_conversation(wanting("json_schema", schema))


def test_the_rest_of_a_schema_that_is_not_strict_is_enforced(model: Model) -> None:
    schema = {**PERSON, "not": {}}
    grammar = model.grammar(wanting("json_schema", schema, strict=False))

    assert not model.takes(grammar, '{"age": 7}')


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"\d{3}-\d{4}", "555-0199", True),
        (r"\d{3}-\d{4}", "٣٣٣-٣٣٣٣", False),
        (r"^\d+$", "42", True),
        (r"(yes|no), (sir|madam)", "no, madam", True),
        (r"(yes|no)", "yes!", False),
        (r"/usr/\w+", "/usr/bin", True),
        (r"a/\*", "a/*", True),
        ("", "", True),
        ("(?i)hello", "HeLLo", True),
        ("a\nb", "a\nb", True),
        (r"[🚀👩]+", "🚀👩🚀", True),
    ],
)
def test_an_answer_matches_a_pattern_as_a_whole(
    pattern: str, text: str, fits: bool, model: Model
) -> None:
    assert model.takes(model.grammar(wanting("regex", pattern)), text) == fits


def test_an_answer_follows_a_grammar(model: Model, seeded: random.Random) -> None:
    grammar = """
        // Sums.
        start: term ("+" term)*
        term: NUMBER | "(" start ")"
        NUMBER: /[0-9]{1,3}/
        %ignore / {1,2}/
    """

    assert model.takes(model.grammar(wanting("lark", grammar)), "1 + (22+3)")
    for _ in range(20):
        text = model.walk(model.grammar(wanting("lark", grammar)), seeded)
        assert set(text) <= set("0123456789+() "), text


def test_a_grammar_may_hold_schemas_and_special_tokens(model: Model) -> None:
    grammar = 'start: <tool_call> "=" %json {"enum": [1, "x"]}'

    assert model.takes(model.grammar(wanting("lark", grammar)), '<tool_call>="x"')
    assert not model.takes(model.grammar(wanting("lark", grammar)), "<tool_call>=2")


@same_examples
@given(choices=st.lists(st.text(max_size=8), min_size=1, max_size=5), seed=seeds)
def test_an_answer_is_one_of_the_choices_to_the_letter(
    choices: list[str], seed: int, model: Model
) -> None:
    grammar = model.grammar(wanting("choice", choices))

    assert model.walk(grammar, random.Random(seed)) in choices
    for choice in choices:
        assert model.takes(model.grammar(wanting("choice", choices)), choice)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("thinks", [True, False])
@pytest.mark.parametrize(
    "constraint", [Constraint("json_object"), Constraint("choice", ["yes", "no"])]
)
def test_thoughts_are_free_and_what_is_behind_them_is_not(
    kind: str, thinks: bool, constraint: Constraint, seeded: random.Random
) -> None:
    model = Model(tags=THINK, kind=kind)
    conversation = Conversation(MESSAGES, constraint=constraint)
    thoughts = set[bool]()
    for _ in range(12):
        text = model.walk(model.grammar(conversation, thinks=thinks), seeded, towards="<think>")

        events = model.events(text, conversation, thinks=thinks)
        content = "".join(event.text for event in events if isinstance(event, ContentDelta))
        thoughts.add(any(isinstance(event, ReasoningDelta) for event in events))
        if constraint.kind == "choice":
            assert content in {"yes", "no"}
        else:
            assert isinstance(json.loads(content), dict)
    assert True in thoughts, "the model may think"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "thinks", "fits"),
    [
        ("yes", False, True),
        ("<think>\nHm, </thin no.\n</think>\n\nyes", False, True),
        ("Hm.</think>yes", True, True),
        ("yes", True, False),
        ("<think></think>maybe", False, False),
        ("<think>a</think>b</think>yes", False, False),
        ("Hm.</think>yes", False, False),
    ],
)
def test_thoughts_end_at_their_first_tag(kind: str, text: str, thinks: bool, fits: bool) -> None:
    model = Model(tags=THINK, kind=kind)
    grammar = model.grammar(wanting("choice", ["yes"]), thinks=thinks)

    assert model.takes(grammar, text) == fits
