"""Thoughts and words told apart."""

import random

import pytest

from services.chat.engine.events import ContentDelta, ReasoningDelta
from services.chat.engine.reasoning import TAGS, AnswerParser, ReasoningParser, detect_tags
from services.chat.engine.tool_calls.formats import FORMATS
from tests.unit.chat.pieces_of_text import events_however_cut, told

THINK = TAGS[0]


@pytest.mark.parametrize(
    ("is_open", "text", "expected"),
    [
        (False, "Hello.", ["Hello."]),
        (False, "", []),
        (False, "\n <thin", ["\n <thin"]),
        (False, "<think>\nHm.\n</think>\n\nHello.", [["thinks", "Hm."], "Hello."]),
        (False, "\n<think>a\n\nb</think>c", [["thinks", "a\n\nb"], "c"]),
        (False, "<think>\n\n</think>\n\nHello.", ["Hello."]),
        (False, "<think>Hm </thin k", [["thinks", "Hm </thin k"]]),
        (False, "<think>Hm\n", [["thinks", "Hm\n"]]),
        (False, "Say <think>x</think>.", ["Say <think>x</think>."]),
        (False, "<think>a</think>b<think>c</think>", [["thinks", "a"], "b<think>c</think>"]),
        (True, "Hm.\n</think>\n\nHello.", [["thinks", "Hm."], "Hello."]),
        (True, "\nHm. < 1", [["thinks", "Hm. < 1"]]),
        (True, "</think>Hello.", ["Hello."]),
    ],
)
def test_thoughts_and_words_are_told_apart_however_the_text_is_cut(
    is_open: bool, text: str, expected: list[object], seeded: random.Random
) -> None:
    events = events_however_cut(lambda: ReasoningParser(THINK, is_open=is_open), text, seeded)

    assert told(events) == expected


def test_calls_behind_thoughts_are_found_and_those_within_are_thoughts(
    seeded: random.Random,
) -> None:
    call = '<tool_call>{"name": "now"}</tool_call>'

    events = events_however_cut(
        lambda: AnswerParser(
            ReasoningParser(THINK, is_open=True),
            FORMATS["hermes"].new_parser({}, lambda count: "x" * count),
        ),
        f"I could {call}.</think>\n\nI look.\n{call}",
        seeded,
    )

    assert told(events) == [["thinks", f"I could {call}."], "I look.", ("now", "{}")]


def test_thoughts_come_as_they_are_thought() -> None:
    parser = ReasoningParser(THINK, is_open=False)

    assert parser.feed("<think>\nHm") == [ReasoningDelta("Hm")]
    assert parser.feed(", so</") == [ReasoningDelta(", so")]
    assert parser.feed("x\n") == [ReasoningDelta("</x")]
    assert parser.feed("</think>Yes") == [ContentDelta("Yes")]


@pytest.mark.parametrize(
    ("prompt", "is_open"),
    [
        ("<|im_start|>assistant\n<think>\n", True),
        ("<|im_start|>assistant\n", False),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", False),
        ("<|im_start|>user\nWhat is <think>?<|im_end|>\n<|im_start|>assistant\n", False),
    ],
)
def test_a_prompt_tells_whether_the_model_is_already_thinking(prompt: str, is_open: bool) -> None:
    assert THINK.are_open_at(prompt) is is_open


def test_a_template_tells_the_tags_of_its_model() -> None:
    assert detect_tags("{{ content.split('</think>')[-1] }}") == THINK
    assert detect_tags("{{ '[THINK]' + block['thinking'] + '[/THINK]' }}") == TAGS[1]
    assert detect_tags("{{ messages[0].content }}") is None
