"""Tools and the choice among them, and how each of their mistakes is named."""

import json

import pytest

from services.chat.engine.conversation import Tool, ToolChoice
from tests.unit.chat.rest.refusals import missing, refusal, unsupported, wrong_type, wrong_value
from tests.unit.chat.rest.scripted import conversation


def tool(name, **function):
    return {"type": "function", "function": {"name": name, **function}}


TOOLS = [tool("add"), tool("look_up")]


def test_a_tool_keeps_the_order_of_its_schema():
    schema = {"type": "object", "properties": {"z": {"type": "string"}, "a": {}}, "$defs": {}}
    asked = conversation(
        tools=[tool("add", description="Adds.", parameters=schema, strict=True), tool("b")],
        parallel_tool_calls=False,
    )

    assert asked.tools == (Tool("add", "Adds.", schema, strict=True), Tool("b"))
    assert json.dumps(asked.tools[0].parameters) == json.dumps(schema)
    assert not asked.parallel_tool_calls


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (None, ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        (tool("add"), ToolChoice("required", frozenset({"add"}))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": TOOLS}},
            ToolChoice("auto", frozenset({"add", "look_up"})),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": TOOLS[:1]}},
            ToolChoice("required", frozenset({"add"})),
        ),
    ],
)
def test_a_choice_says_which_tools_may_or_have_to_be_called(choice, read):
    assert conversation(tools=TOOLS, tool_choice=choice).tool_choice == read


def test_an_empty_list_offers_nothing():
    assert conversation(tools=[]) == conversation()


def allowed(mode="auto", tools=TOOLS):
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"tools": {}}, wrong_type("tools", "an array or null", "an object")),
        ({"tools": [*TOOLS, {"function": {"name": "a"}}]}, missing("tools[2].type")),
        (
            {"tools": [*TOOLS, {"type": "custom", "custom": {"name": "a"}}]},
            unsupported(
                "tools[2].type", "'custom'. This server offers models function tools only."
            ),
        ),
        ({"tools": [{"type": "function"}]}, missing("tools[0].function")),
        ({"tools": [{"type": "function", "function": {}}]}, missing("tools[0].function.name")),
        (
            {"tools": [tool("a b")]},
            wrong_value(
                "tools[0].function.name",
                "'a b'. Expected 1 to 64 letters, digits, underscores and dashes.",
            ),
        ),
        (
            {"tools": [tool("add\n")]},
            wrong_value(
                "tools[0].function.name",
                "'add\n'. Expected 1 to 64 letters, digits, underscores and dashes.",
            ),
        ),
        (
            {"tools": [*TOOLS, tool("add")]},
            wrong_value("tools[2].function.name", "there are two functions 'add'."),
        ),
        (
            {"tools": [tool("a", parameters="object")]},
            wrong_type("tools[0].function.parameters", "an object or null", "a string"),
        ),
        (
            {"tools": [tool("a", strict="yes")]},
            wrong_type("tools[0].function.strict", "a boolean or null", "a string"),
        ),
        (
            {"tools": [tool(f"t{n}") for n in range(129)]},
            wrong_value("tools", "129 functions; the most is 128."),
        ),
        (
            {"tool_choice": "auto"},
            wrong_value("tool_choice", "it is only allowed when 'tools' are given."),
        ),
        (
            {"tools": TOOLS, "tool_choice": "always"},
            wrong_value(
                "tool_choice", "'always'. Supported values are 'none', 'auto' and 'required'."
            ),
        ),
        (
            {"tools": TOOLS, "tool_choice": 5},
            wrong_type("tool_choice", "a string or an object or null", "an integer"),
        ),
        (
            {"tools": TOOLS, "tool_choice": {"function": {"name": "add"}}},
            missing("tool_choice.type"),
        ),
        (
            {"tools": TOOLS, "tool_choice": {"type": "auto"}},
            wrong_value(
                "tool_choice.type", "'auto'. Supported values are 'function' and 'allowed_tools'."
            ),
        ),
        (
            {"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "add"}}},
            unsupported(
                "tool_choice.type", "'custom'. This server offers models function tools only."
            ),
        ),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, missing("tool_choice.function")),
        (
            {"tools": TOOLS, "tool_choice": tool("subtract")},
            wrong_value(
                "tool_choice.function.name", "there is no function 'subtract' among the tools."
            ),
        ),
        (
            {"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}},
            missing("tool_choice.allowed_tools"),
        ),
        (
            {"tools": TOOLS, "tool_choice": allowed(mode="none")},
            wrong_value(
                "tool_choice.allowed_tools.mode",
                "'none'. Supported values are 'auto' and 'required'.",
            ),
        ),
        (
            {"tools": TOOLS, "tool_choice": allowed(tools=[])},
            wrong_value("tool_choice.allowed_tools.tools", "expected at least one tool."),
        ),
        (
            {"tools": TOOLS, "tool_choice": allowed(tools=[*TOOLS, tool("c")])},
            wrong_value(
                "tool_choice.allowed_tools.tools[2].function.name",
                "there is no function 'c' among the tools.",
            ),
        ),
        (
            {"tools": TOOLS, "tool_choice": allowed(tools=[{"type": "mcp"}])},
            unsupported(
                "tool_choice.allowed_tools.tools[0].type",
                "'mcp'. This server offers models function tools only.",
            ),
        ),
    ],
)
def test_a_mistake_names_its_field_and_what_would_be_right(body, told):
    assert refusal(conversation, **body) == told
