from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tokenizers import Tokenizer

from services.chat.engine.templates.folder import TemplateSources
from services.chat.engine.templates.prompts import Prompts as ServedPrompts
from services.chat.engine.tool_calls.formats import FORMATS, detect_format
from training.chat.author import Author
from training.chat.corpus import IGNORED, LENGTHS, Corpus
from training.chat.dialogue import Call, Dialogue, Message
from training.chat.dialogues import draw_dialogue
from training.chat.prompts import TEMPLATE, Prompts
from training.chat.tokenizer import END_TURN, TAGS, train_tokenizer

TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "Do it.",
        "parameters": {
            "type": "object",
            "properties": {
                "x": {"type": "string", "description": "What"},
                "size": {"enum": ["big", "small", 3]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "y": True,
            },
            "required": ["x"],
        },
    },
}
DIALOGUE = Dialogue(
    (
        Message("system", "Be kind."),
        Message("user", "Go on."),
        Message("assistant", "", (Call("f", {"x": "ä"}), Call("f", {"x": 2}))),
        Message("tool", "1"),
        Message("assistant", "Done."),
    ),
    (TOOL, {"type": "function", "function": {"name": "g"}}),
)
TEXT = """<|im_start|>system
Be kind.

Tools that may help, called as <tool_call> {"name", "arguments"} </tool_call>:
<tools>
f: Do it.
- What (string, required): x
- (big | small | 3): size
- ({"type": "array", "items": {"type": "string"}}): tags
- (true): y
= f
g
= g
</tools><|im_end|>
<|im_start|>user
Go on.<|im_end|>
<|im_start|>assistant
<tool_call>
{"name": "f", "arguments": {"x": "ä"}}
</tool_call>
<tool_call>
{"name": "f", "arguments": {"x": 2}}
</tool_call><|im_end|>
<|im_start|>tool
<tool_response>
1
</tool_response><|im_end|>
<|im_start|>assistant
Done.<|im_end|>
"""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(1024, seed=1, dialogues=500)


def test_the_template_writes_system_tools_calls_and_results() -> None:
    assert Prompts().render(DIALOGUE) == TEXT


def test_the_service_finds_the_calls_format_and_writes_the_same_prompt() -> None:
    source = TEMPLATE.read_text(encoding="utf-8")
    assert detect_format(source) is FORMATS["hermes"]
    served = ServedPrompts(TemplateSources(Path("x"), {"default": source}, {}))
    messages = [message.as_openai() for message in DIALOGUE.messages]
    written = served.write(messages, tools=list(DIALOGUE.tools), add_generation_prompt=False)
    assert written == TEXT


@pytest.mark.parametrize(
    ("function", "lines"),
    [
        ({"name": "f", "parameters": {"properties": [1], "required": True}}, "f\n= f"),
        ({"name": "f", "parameters": True}, "f\n= f"),
        (
            {
                "name": "f",
                "parameters": {"properties": {"x": {"type": "string", "description": 5}}},
            },
            "f\n- 5 (string): x\n= f",
        ),
        (
            {"name": "f", "parameters": {"properties": {"x": {"type": ["string", "null"]}}}},
            'f\n- ({"type": ["string", "null"]}): x\n= f',
        ),
        (
            {"name": "f", "parameters": {"$defs": 1, "properties": {"x": {"$ref": "#/$defs/a"}}}},
            'f\n- ({"$ref": "#/$defs/a"}): x\n= f',
        ),
    ],
)
def test_no_schema_is_too_odd_to_be_told(function: Mapping[str, Any], lines: str) -> None:
    dialogue = Dialogue(DIALOGUE.messages, ({"type": "function", "function": function},))
    assert f"<tools>\n{lines}\n</tools>" in Prompts().render(dialogue)


def test_what_pydantic_defines_elsewhere_is_told_where_it_is_used() -> None:
    parameters = {
        "$defs": {
            "Unit": {"enum": ["EUR", "USD"], "title": "Unit", "type": "string"},
            "Place": {"description": "Where", "properties": {"city": {"type": "string"}}},
        },
        "properties": {
            "unit": {"$ref": "#/$defs/Unit", "description": "Of the money"},
            "place": {"$ref": "#/$defs/Place"},
            "other": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}], "default": None},
            "days": {"anyOf": [{"type": "null"}, {"type": "integer"}], "title": "Days"},
            "tags": {"type": "array", "items": {"type": "string"}, "description": "Words"},
            "kind": {"const": "cash", "type": "string"},
            "id": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "required": ["unit"],
    }
    function = {"name": "pay", "parameters": parameters}
    dialogue = Dialogue(DIALOGUE.messages, ({"type": "function", "function": function},))
    lines = [
        "- Of the money (EUR | USD, required): unit",
        '- Where ({"properties": {"city": {"type": "string"}}}): place',
        "- (EUR | USD): other",
        "- (integer): days",
        '- Words ({"type": "array", "items": {"type": "string"}}): tags',
        "- (cash): kind",
        '- ({"anyOf": [{"type": "string"}, {"type": "integer"}]}): id',
    ]
    assert "<tools>\npay\n" + "\n".join(lines) + "\n= pay" in Prompts().render(dialogue)


def test_transformers_writes_the_same_prompt(tokenizer: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    written = theirs.apply_chat_template(
        [message.as_openai() for message in DIALOGUE.messages],
        tools=list(DIALOGUE.tools),
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
        tokenize=False,
    )
    assert written == TEXT


def test_the_pieces_of_a_dialogue_are_its_text_and_the_assistants_are_marked() -> None:
    pieces = list(Prompts().pieces(DIALOGUE))
    assert "".join(text for text, _ in pieces) == TEXT
    assert [text.endswith(END_TURN) for text, is_answer in pieces if is_answer] == [True, True]


def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer) -> None:
    for text in ("Grüße, 世界! 🙂\n\n  x", "<tool_call>\n{}", "a-b-c 12345", "I'm  here"):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_digits_and_tags_are_tokens_of_their_own(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("1234").tokens == ["1", "2", "3", "4"]
    for tag in TAGS:
        assert tokenizer.encode(f"x{tag}y").tokens[1] == tag


def test_a_word_has_the_same_tokens_wherever_it_stands(tokenizer: Tokenizer) -> None:
    for word in ("kaleidoscope", "Mopsy", "fan"):
        [alone, behind, quoted, joined] = (
            tokenizer.encode(text).tokens for text in (word, f"x {word}", f'{{"{word}', f"x_{word}")
        )
        assert behind[-len(alone) :] == quoted[-len(alone) :] == joined[-len(alone) :] == alone


def test_rows_learn_the_assistants_tokens_alone(tokenizer: Tokenizer) -> None:
    batch = next(Corpus(tokenizer, "1").batches(3072))
    rows, length = batch.ids.shape
    assert rows == 3072 // length
    assert length in LENGTHS
    assert batch.targets.shape == batch.ids.shape
    end = tokenizer.token_to_id(END_TURN)
    for ids, targets in zip(batch.ids, batch.targets, strict=True):
        learned = targets[targets != IGNORED]
        assert learned[-1] == end
        assert 0 < len(learned) < len(ids)


def test_the_text_of_a_dialogue_is_the_same_in_pieces_and_as_a_prompt(tokenizer: Tokenizer) -> None:
    author, prompts = Author(Random(4)), Prompts()
    for _ in range(50):
        dialogue = draw_dialogue(author)
        asked = Dialogue(dialogue.messages[:-1], dialogue.tools)
        whole = tokenizer.encode(prompts.render(asked, is_question=True)).ids
        pieces = [tokenizer.encode(text).ids for text, _ in prompts.pieces(dialogue)][:-2]
        assert [token for piece in pieces for token in piece] == whole
