import json
import re
from random import Random

import pytest

from training.chat.author import Author
from training.chat.dialogue import Dialogue, Sketch
from training.chat.dialogues import CONVERSATIONS, SKETCHES, draw_dialogue, objects
from training.chat.prompts import Prompts
from training.chat.rules import calls_of

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?|true|false|null")
PYTHON_TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


def draw(kind: str, number: int) -> list[Dialogue]:
    author = Author(Random(f"{kind} 1"))
    return [CONVERSATIONS[kind][1](author) for _ in range(number)]


@pytest.mark.parametrize("sketch", SKETCHES, ids=lambda sketch: sketch.__name__)
def test_a_sketch_is_questions_and_answers_in_turn_and_all_slots_are_filled(sketch: object) -> None:
    author = Author(Random(1))
    for _ in range(100):
        turns = sketch(author)  # type: ignore[operator]
        assert [turn.role for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
        for turn in turns:
            assert turn.content.strip() == turn.content or turn.role == "user"
            assert turn.content.strip()
            assert "{v}" not in turn.content
            assert "|" not in turn.content


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_every_conversation_ends_with_the_assistant(kind: str) -> None:
    for dialogue in draw(kind, 50):
        assert dialogue.messages[-1].role == "assistant"


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_calls_name_an_offered_tool_and_fit_its_schema(kind: str) -> None:
    for dialogue in draw(kind, 200):
        schemas = {tool["function"]["name"]: tool["function"] for tool in dialogue.tools}
        assert len(schemas) == len(dialogue.tools)
        for message in dialogue.messages:
            for call in message.calls:
                parameters = schemas[call.name]["parameters"]
                assert set(parameters.get("required", ())) <= set(call.arguments)
                for name, value in call.arguments.items():
                    told = parameters["properties"][name]
                    assert isinstance(value, PYTHON_TYPES[told["type"]])
                    assert value in told.get("enum", [value])


@pytest.mark.parametrize("sketch", [objects.described, objects.listed_keys, objects.lists])
def test_what_json_would_read_as_a_number_is_one(sketch: Sketch) -> None:
    author = Author(Random("objects"))
    for _ in range(500):
        _, answer = sketch(author)
        told = json.loads(answer.content)
        values = told.values() if isinstance(told, dict) else told
        assert not [each for each in values if isinstance(each, str) and NUMBER.fullmatch(each)]


def test_calls_are_written_as_the_service_reads_them() -> None:
    prompts = Prompts()
    for dialogue in draw("tool calls", 50):
        called = [message for message in dialogue.messages if message.calls]
        for message in called:
            written = prompts.render(Dialogue((dialogue.messages[0], message)))
            found = calls_of(written.split("<|im_start|>assistant\n")[1].split("<|im_end|>")[0])
            assert found == [(call.name, dict(call.arguments)) for call in message.calls]


def test_dialogues_are_the_same_for_the_same_seed() -> None:
    first, second = Author(Random(5)), Author(Random(5))
    assert [draw_dialogue(first) for _ in range(50)] == [draw_dialogue(second) for _ in range(50)]


def test_dialogues_hardly_repeat() -> None:
    author = Author(Random(6))
    drawn = [repr(draw_dialogue(author)) for _ in range(2000)]
    assert len(set(drawn)) > 1950
