"""The tables of apps: every question holds what its call needs, and calls keep to their schemas."""

import re
from itertools import chain
from random import Random

import pytest

from training.chat.author import Author
from training.chat.dialogues.tools.apps import AppTool, apps, offer, question
from training.chat.dialogues.tools.catalogue import realistic
from training.chat.dialogues.tools.results import draw_result
from training.chat.dialogues.tools.schemas import values
from training.chat.heldout import control, prompts

TOOLS = tuple(chain.from_iterable(apps()))


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.blueprint.names[0])
def test_every_question_holds_what_is_required_and_no_more_than_there_is(tool: AppTool) -> None:
    for ask in tool.asks:
        held = {*re.findall(r"\{(\w+)\}", ask.pattern), *ask.meant}

        assert tool.required <= held <= tool.parameters.keys(), ask.pattern
        for name, value in ask.meant.items():
            parameter = tool.parameters[name]
            assert not parameter.choices or value in parameter.choices, ask.pattern
            assert isinstance(value, bool) == (parameter.type == "boolean"), ask.pattern


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.blueprint.names[0])
def test_a_call_has_arguments_of_its_schema_that_are_in_the_question(tool: AppTool) -> None:
    author = Author(Random(tool.blueprint.names[0]))
    for _ in range(20):
        offered = offer(author, tool)
        schema = offered.schema["function"]["parameters"]
        text, filled = question(author, tool, offered)
        arguments = values(filled, offered)

        assert len(arguments) == len(filled)
        assert set(schema.get("required", ())) <= arguments.keys() <= schema["properties"].keys()
        assert all(each.spoken in text for each in filled), text
        assert draw_result(author, tool.blueprint.result, filled)[1]


def test_an_app_has_tools_to_choose_from() -> None:
    assert all(3 <= len(app) <= 8 for app in apps())
    assert len(TOOLS) > 150


def test_no_tool_is_held_out() -> None:
    asked = prompts() + control()
    held_out = {tool["function"]["name"] for prompt in asked for tool in prompt.dialogue.tools}
    known = {name for tool in TOOLS for name in tool.blueprint.names}

    assert not held_out & (known | {name for tool in realistic() for name in tool.names})
