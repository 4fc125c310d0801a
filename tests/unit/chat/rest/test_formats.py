"""What the content has to look like, and how each mistake is named."""

import json

import pytest

from services.chat.engine.conversation import Constraint
from tests.unit.chat.rest.refusals import missing, refusal, wrong_type, wrong_value
from tests.unit.chat.rest.scripted import conversation

SCHEMA = {"type": "object", "properties": {"z": {}, "a": {}}}


def in_json(**json_schema):
    return {"response_format": {"type": "json_schema", "json_schema": json_schema}}


@pytest.mark.parametrize(
    ("body", "constraint"),
    [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, Constraint("json_object")),
        (in_json(name="a", schema=SCHEMA), Constraint("json_schema", SCHEMA)),
        (
            in_json(name="a", schema=SCHEMA, strict=True, description="b"),
            Constraint("json_schema", SCHEMA, strict=True),
        ),
        (in_json(name="a", schema={}), Constraint("json_schema", {})),
        (in_json(name="a", schema=True), Constraint("json_schema", value=True)),
        ({"regex": "[a-z]+"}, Constraint("regex", "[a-z]+", param="regex")),
        ({"grammar": 'start: "a"'}, Constraint("lark", 'start: "a"', param="grammar")),
        ({"choice": ["yes", "no"]}, Constraint("choice", ["yes", "no"], param="choice")),
        (
            {"choice": ["yes", "no"], "response_format": {"type": "text"}},
            Constraint("choice", ["yes", "no"], param="choice"),
        ),
    ],
)
def test_a_format_is_a_constraint(body, constraint):
    assert conversation(**body).constraint == constraint


def test_a_schema_keeps_the_order_of_its_keys():
    constraint = conversation(**in_json(name="a", schema=SCHEMA)).constraint

    assert json.dumps(constraint.value) == json.dumps(SCHEMA)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"response_format": "json_object"},
            wrong_type("response_format", "an object or null", "a string"),
        ),
        ({"response_format": {}}, missing("response_format.type")),
        (
            {"response_format": {"type": "yaml"}},
            wrong_value(
                "response_format.type",
                "'yaml'. Supported values are 'text', 'json_object' and 'json_schema'.",
            ),
        ),
        ({"response_format": {"type": "json_schema"}}, missing("response_format.json_schema")),
        (in_json(schema=SCHEMA), missing("response_format.json_schema.name")),
        (
            in_json(name="", schema=SCHEMA),
            wrong_value(
                "response_format.json_schema.name",
                "''. Expected 1 to 64 letters, digits, underscores and dashes.",
            ),
        ),
        (in_json(name="a"), missing("response_format.json_schema.schema")),
        (
            in_json(name="a", schema="object"),
            wrong_type(
                "response_format.json_schema.schema", "a boolean or an object or null", "a string"
            ),
        ),
        ({"choice": []}, wrong_value("choice", "expected at least one text.")),
        ({"choice": ["a", 5]}, wrong_type("choice[1]", "a string", "an integer")),
        (
            {"regex": "a", "response_format": {"type": "json_object"}},
            wrong_value("regex", "it does not go together with 'response_format'."),
        ),
        (
            {"regex": "a", "choice": ["a"], "grammar": "b"},
            wrong_value("grammar", "it does not go together with 'regex'."),
        ),
    ],
)
def test_a_mistake_names_its_field_and_what_would_be_right(body, told):
    assert refusal(conversation, **body) == told
