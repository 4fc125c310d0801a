"""Free text that stops short of marks, compared with a search for the marks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chat.engine.grammars.texts import text_without
from tests.unit.chat.grammar_walks import Model, wanting
from tests.unit.chat.properties import same_examples

MARKS = {
    "one": ["<tool_call>"],
    "beginning alike": ["<tool_call>", "<function=", "<t"],
    "beginning otherwise": ["</think>", "[TOOL_CALLS]", "functools"],
    "one letter": ["{"],
    "none": [],
}
PARTS = ["<", "<t", "<tool", "tool_call>", "<tool_call>", "<function", "=", "</", "think>", "[TOOL"]
PARTS += ["_CALLS]", "func", "functools", "{", "a", " ", "\n", "é", "🚀", '"', "\\", ">", "]"]

texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.mark.parametrize("name", MARKS)
@same_examples
@given(text=texts)
def test_any_text_without_marks_fits_and_none_with_them(name: str, text: str, model: Model) -> None:
    # The marks are told from special tokens by nothing but their letters here.
    grammar = model.grammar(wanting("regex", text_without(MARKS[name])))

    fits = model.takes(grammar, text)

    assert fits == (not any(mark in text for mark in MARKS[name]) and "<tool_call>" not in text)


@same_examples
@given(text=texts)
def test_a_text_may_be_kept_from_beginning_with_some_characters(text: str, model: Model) -> None:
    pattern = text_without(["<tool_call>"], not_first="{ a")

    fits = model.takes(model.grammar(wanting("regex", pattern)), text)

    assert fits == ("<tool_call>" not in text and text[:1] not in {"{", " ", "a"})


def test_walks_find_no_mark(model: Model, seeded: random.Random) -> None:
    for _ in range(40):
        grammar = model.grammar(wanting("regex", text_without(["<function=", "</think>"])))

        text = model.walk(grammar, seeded, towards="<function=")

        assert "<function=" not in text
        assert "</think>" not in text
