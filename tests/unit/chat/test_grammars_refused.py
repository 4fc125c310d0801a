"""What cannot be enforced is refused in words that name the field, in bounded time and memory."""

import json
import time

import pytest

from services.chat.engine.conversation import Constraint, Conversation, Tool
from services.chat.engine.grammars.compiler import MAX_CHARACTERS, MAX_KEPT
from services.chat.engine.tool_calls.formats import FORMATS
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.grammar_walks import MESSAGES, Model, calling, wanting

NODE = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


def refusal(model: Model, conversation: Conversation) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as refused:
        model.grammars.of_conversation(conversation)
    return refused.value


def nested(depth: int) -> dict[str, object]:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def chained(count: int) -> dict[str, object]:
    """Return a schema that leads through a chain of references."""
    links = {
        f"d{n}": {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}}}
        for n in range(count)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**links, f"d{count}": {"type": "string"}}}


def test_a_refusal_names_the_field_of_the_constraint(model: Model) -> None:
    constraint = Constraint("json_schema", {"not": {}}, strict=True, param="json_schema.schema")

    error = refusal(model, Conversation(MESSAGES, constraint=constraint))

    assert error.param == "json_schema.schema"
    assert error.body()["error"]["code"] == "invalid_value"
    assert str(error) == (
        "Invalid value for 'json_schema.schema': the keyword 'not' cannot be enforced; leave it"
        " out, or leave out 'strict'."
    )


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ([], "a schema is an object or a boolean"),
        (False, "no value fulfils it"),
        ({"enum": []}, "no value fulfils it"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "no value fulfils it"),
        ({"type": "text"}, "Invalid type: text"),
        ({"type": 3}, "'type' should be a name or a list of names"),
        ({"type": [3]}, "'type' should hold names"),
        ({"properties": []}, "'properties' should be an object"),
        ({"required": "a"}, "'required' should be a list"),
        ({"anyOf": {}}, "'anyOf' should be a list"),
        ({"anyOf": [3]}, "schema must be an object or boolean"),
        ({"type": "integer", "minimum": "a"}, "Expected a number for 'minimum'"),
        ({"type": "array", "minItems": -1}, "'minItems'"),
        ({"type": "string", "pattern": "(a"}, "unclosed group"),
        ({"$ref": "#/$defs/a"}, "no schema at '#/$defs/a'"),
        ({"$ref": "#/properties", "properties": {}}, "no schema at '#/properties'"),
        ({"$ref": "https://example.com/schema"}, "references begin with '#/'"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"anyOf": [{"$ref": "#"}]}, "refers to itself without end"),
        ({"type": "array", "minItems": 1, "items": {"$ref": "#"}}, "without end"),
        (NODE, "refers to itself without end"),
        (nested(60), "nested more than 48 deep"),
        (chained(700), "lead too deep"),
        ({"properties": {f"p{n}": {} for n in range(1001)}}, "holds 1001 schemas"),
        ({"patternProperties": {f"^{n}$": {} for n in range(33)}}, "holds 33 schemas"),
        ({"anyOf": [{"const": n} for n in range(5001)]}, "more than 5000 schemas"),
        ({"enum": ["x" * MAX_CHARACTERS]}, "characters as a grammar"),
        (
            {"allOf": [{"type": "string", "pattern": f"a.{{{n}}}b"} for n in range(8)]},
            "too complex",
        ),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_schema_that_is_none_is_refused(
    schema: object, reason: str, strict: bool, model: Model
) -> None:
    error = refusal(model, wanting("json_schema", schema, strict=strict))

    assert reason in str(error)


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ({"if": {}, "then": {}}, "'if', 'then' cannot be enforced"),
        ({"properties": {"a": {"type": "array", "uniqueItems": True}}}, "'uniqueItems'"),
        ({"type": "string", "format": "color"}, "'format' cannot be enforced for 'color'"),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, "'oneOf' overlap"),
        ({"type": "string", "pattern": "a(?!b)"}, "looks around or back"),
        (
            {"type": "object", "properties": {"a": {}}, "maxProperties": 7},
            "min/maxProperties only supported",
        ),
        (
            {"allOf": [{"type": "string", "pattern": f"a.{{{n}}}b"} for n in range(9)]},
            "combines schemas, and has more than 8 patterns",
        ),
    ],
)
def test_a_strict_schema_is_refused_where_a_keyword_cannot_be_enforced(
    keywords: dict[str, object], reason: str, model: Model
) -> None:
    assert reason in str(refusal(model, wanting("json_schema", keywords)))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": []},
        {**NODE, "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
        {**NODE, "type": ["object", "null"]},
        {"type": "array", "items": {"$ref": "#"}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "null"}}},
        {"$ref": "#/properties/a~1b%20c", "properties": {"a/b c": {"type": "null"}}},
        chained(250),
    ],
)
def test_references_that_come_to_an_end_are_taken(schema: object, model: Model) -> None:
    assert model.grammar(wanting("json_schema", schema)).mask().any()


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("regex", "(a", "unclosed group"),
        ("regex", r"a\b", "lookarounds not supported"),
        ("regex", r"(a)\1", "backreferences are not supported"),
        ("regex", r"[^\s\S]", "no answer of this model fulfils it"),
        ("regex", "(" * 300 + ")" * 300, "nested"),
        ("lark", "", "no start rule"),
        ("lark", "begin: /a/", "no start rule"),
        ("lark", 'start: "a"\n  | ) "b"', "line 2, column 5: expecting rule"),
        ("lark", "start: <nothing>", "unknown special token"),
        ("lark", "start: @part0", "refers to another grammar"),
        ("lark", 'start: %json {"not": {}}', "'not' cannot be enforced"),
        ("lark", f"start: %json {json.dumps(chained(600))}", "too deep"),
        ("lark", "\n".join(f"start{n}: start{n + 1}" for n in range(600)), "600 rules"),
        ("lark", "start: " + "(" * 3000, "3000 groups"),
        ("lark", "start: T\nT: " + " & ".join(f"/a.{{{n}}}/" for n in range(24)), "23 operators"),
        ("choice", ["x" * MAX_CHARACTERS], "characters as a grammar"),
    ],
)
def test_a_grammar_that_is_wrong_or_too_much_is_refused(
    kind: str, value: object, reason: str, model: Model
) -> None:
    begun_s = time.monotonic()

    error = refusal(model, wanting(kind, value))

    assert reason in str(error)
    assert time.monotonic() - begun_s < 5


@pytest.mark.parametrize("text", ['"(((&&&@"', "# & & & & & & & & & &\n", r"/[&(@]+\/&/"])
def test_what_a_grammar_quotes_counts_for_nothing(text: str, model: Model) -> None:
    grammar = f'start: "a" {text}'

    assert model.grammar(wanting("lark", grammar)).mask().any()


@pytest.mark.parametrize("name", ["hermes", "qwen_coder"])
@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"type": "array"}, "the arguments of a function are an object"),
        ({"properties": {"a": {"type": "wrong"}}}, "Invalid type: wrong"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "no schema at"),
        ({"patternProperties": {}, "not": {}}, "cannot be enforced"),
    ],
)
def test_a_refusal_names_the_tool(name: str, parameters: dict[str, object], reason: str) -> None:
    param = "tools[1].function.parameters"
    tools = (Tool("fine"), Tool("odd", parameters=parameters, strict=True, param=param))

    error = refusal(Model(FORMATS[name]), calling(*tools))

    assert error.param == param
    assert error.body()["error"]["code"] == "invalid_function_parameters"
    assert reason in str(error)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"properties": {"a": {"type": "string", "pattern": "x"}}}, "'pattern'"),
        ({"properties": {"a": {"anyOf": [{"type": "string", "minLength": 1}]}}}, "'minLength'"),
        ({"properties": {"a": {"type": "string"}}, "minProperties": 1}, "'minProperties'"),
        ({"additionalProperties": {"type": "integer"}}, "'additionalProperties'"),
        ({"properties": {"a": {"enum": [1, 2]}}}, "'a' needs a 'type'"),
    ],
)
def test_a_strict_tool_is_refused_where_tags_cannot_keep_it(
    parameters: dict[str, object], reason: str
) -> None:
    model = Model(FORMATS["glm"])

    error = refusal(model, calling(Tool("f", parameters=parameters, strict=True)))

    assert reason in str(error)
    assert model.grammar(calling(Tool("f", parameters=parameters))).mask().any()


@pytest.mark.parametrize(
    "parameters",
    [{"not": {}}, {"properties": {"a": {"pattern": "(?=a)"}}}, {"dependentRequired": {}}],
)
@pytest.mark.parametrize("name", ["hermes", "glm"])
def test_what_cannot_be_enforced_is_left_out_where_a_tool_is_not_strict(
    name: str, parameters: dict[str, object]
) -> None:
    conversation = calling(Tool("f", parameters=parameters))

    assert Model(FORMATS[name]).grammar(conversation).mask().any()


def test_only_the_latest_grammars_are_kept(model: Model) -> None:
    for number in range(2 * MAX_KEPT):
        model.grammar(wanting("choice", [f"number {number}"]))

    kept = model.grammars._compiler._kept

    assert len(kept) == MAX_KEPT
    assert f"number {2 * MAX_KEPT - 1}" in [*kept][-1]


def test_large_grammars_are_kept_in_small_numbers(model: Model) -> None:
    for number in range(8):
        model.grammar(wanting("choice", [str(number), "x" * (MAX_CHARACTERS - 1000)]))

    assert len(model.grammars._compiler._kept) == 4


@pytest.mark.parametrize(
    "value",
    [
        ("regex", "[bc]((a{1000}){1000}){1000}"),
        ("lark", 'start: "b" | "c" a{1000}\na: b{1000}\nb: "x"{1000}'),
        ("choice", ["b", "c" + "a" * 100_000]),
    ],
)
def test_a_text_that_has_to_come_and_is_very_long_holds_nobody_up(
    value: tuple[str, object], model: Model
) -> None:
    grammar = model.grammar(wanting(*value))
    begun_s = time.monotonic()

    for letter in ("c", "a", "a"):
        if model.tokenizer.token_to_id(letter) in model.allowed(grammar):
            grammar.accept(model.tokenizer.token_to_id(letter))

    assert grammar.mask().any()
    assert time.monotonic() - begun_s < 1


def test_more_texts_than_can_be_followed_are_refused(model: Model) -> None:
    error = refusal(model, wanting("choice", [f"text {number}" for number in range(2001)]))

    assert "the most is 2000" in str(error)


@pytest.mark.parametrize("depth", range(900, 1000, 7))
def test_what_is_nested_more_deeply_than_can_be_followed_is_refused(
    model: Model, depth: int
) -> None:
    refusal(model, wanting("json_schema", nested(depth)))
