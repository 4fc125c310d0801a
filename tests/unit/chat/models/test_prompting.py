import json
import threading
import time

import pytest
import tokenizers

from services.chat.config import ChatModelSettings
from services.chat.engine.conversation import Conversation, Tool, ToolChoice
from services.chat.engine.events import ContentDelta, ReasoningDelta, ToolCallStart
from services.chat.engine.reasoning import TAGS
from services.chat.engine.tool_calls.formats import FORMATS
from services.chat.models.prompting import (
    FALLBACK,
    MAX_CHARACTERS_PER_TOKEN,
    Prompting,
    read_prompting,
    read_tokenizer,
)
from services.runtime.artifacts import ArtifactError
from services.runtime.errors import ContextLengthError, InvalidRequestError
from tests.models.chat_folder import TEMPLATE, THINKING, chat_tokenizer
from tests.unit.chat.conversations import prompts_of

HELLO = {"role": "user", "content": "Hello"}
FIND = Tool("find", "Finds things.", {"type": "object", "properties": {"what": {}}})
CALL = '<tool_call>\n{"name": "find", "arguments": {"what": 1}}\n</tool_call>'


def prompting(template=TEMPLATE, *, tags=None, call_format=None):
    prompts = prompts_of(template) if template else None
    return Prompting(prompts, chat_tokenizer(), tags=tags, call_format=call_format)


def conversation(*messages, **fields):
    return Conversation(messages or (HELLO,), **fields)


def written(asked, **model):
    """Return the prompt of a conversation as text."""
    prompt = prompting(**model).write(asked, 512)
    return chat_tokenizer().decode(prompt.tokens, skip_special_tokens=False)


def read(asked, answer, *, thinks=False, **model):
    """Return the events of an answer."""
    parser = prompting(**model).new_parser(asked, thinks=thinks)
    return [*parser.feed(answer), *parser.finish()]


def folder_with(tmp_path, template=TEMPLATE):
    chat_tokenizer().save(str(tmp_path / "tokenizer.json"))
    if template:
        (tmp_path / "chat_template.jinja").write_text(template)
    return tmp_path


def opened(folder, **settings):
    settings = ChatModelSettings(id="tiny", folder=folder, **settings)
    return read_prompting(settings, read_tokenizer(folder))


def test_special_tokens_of_the_template_are_those_of_the_model():
    prompt = prompting().write(conversation(), 512)

    begin = chat_tokenizer().token_to_id("<|im_start|>")
    assert prompt.tokens.count(begin) == 2
    assert written(conversation()) == ("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n")


def test_tools_are_shown_but_for_those_that_may_not_be():
    shown = written(conversation(tools=(FIND,)))
    hidden = written(conversation(tools=(FIND,), tool_choice=ToolChoice("none")))

    assert json.dumps(FIND.definition) in shown
    assert "find" not in hidden


def test_a_prompt_says_whether_it_ends_in_thoughts():
    thinking = prompting(THINKING, tags=TAGS[0]).write(conversation(), 512)
    talking = prompting(TEMPLATE, tags=TAGS[0]).write(conversation(), 512)

    assert (thinking.thinks, talking.thinks) == (True, False)
    assert not prompting(THINKING).write(conversation(), 512).thinks


def test_a_model_without_a_template_says_where_it_can_be_asked():
    with pytest.raises(InvalidRequestError, match="POST /v1/completions") as refused:
        prompting(None).write(conversation(), 512)

    assert refused.value.param == "model"


def test_a_text_gets_the_special_tokens_that_the_tokenizer_puts_around_it():
    tokenizer = tokenizers.Tokenizer.from_str(chat_tokenizer().to_str())
    begin = tokenizer.token_to_id("<|im_start|>")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", begin)]
    )
    model = Prompting(prompts_of(TEMPLATE), tokenizer, tags=None, call_format=None)

    assert model.encode("a", 512) == (begin, *tokenizer.encode("a", add_special_tokens=False).ids)
    assert model.write(conversation(), 512).tokens.count(begin) == 2


def test_what_is_too_long_is_told_without_counting_its_tokens():
    most = 10 * MAX_CHARACTERS_PER_TOKEN
    fits, long = "a" * most, "a" * (most + 1)

    assert len(prompting().encode(fits, 10)) > 10
    with pytest.raises(ContextLengthError, match=f"{most + 1} characters") as text:
        prompting().encode(long, 10)
    with pytest.raises(ContextLengthError, match="room for 10 tokens") as messages:
        prompting().write(conversation({"role": "user", "content": long}), 10)
    assert (text.value.param, messages.value.param) == ("prompt", "messages")
    assert text.value.body()["error"]["code"] == "context_length_exceeded"


def test_other_threads_run_while_a_long_text_is_read():
    text = "word " * 400_000
    reading = threading.Thread(target=prompting().encode, args=(text, 10**6))
    began_s = last_s = time.perf_counter()
    worst_s = 0.0

    reading.start()
    while reading.is_alive():
        time.sleep(0.001)
        now_s = time.perf_counter()
        worst_s, last_s = max(worst_s, now_s - last_s), now_s

    assert worst_s < (last_s - began_s) / 2


def test_an_answer_to_plain_words_is_plain_words():
    assert read(conversation(), CALL) == [ContentDelta(CALL)]


def test_calls_are_found_where_tools_are_shown():
    events = read(conversation(tools=(FIND,)), f"Well.{CALL}", call_format=FORMATS["hermes"])

    assert events[0] == ContentDelta("Well.")
    assert [event.name for event in events if isinstance(event, ToolCallStart)] == ["find"]


def test_thoughts_are_told_apart_from_what_is_said():
    events = read(conversation(), "Hm.</think>\n\nYes.", thinks=True, tags=TAGS[0])

    assert events == [ReasoningDelta("Hm."), ContentDelta("Yes.")]


def test_marks_of_calls_and_thoughts_are_part_of_the_text():
    tokenizer = tokenizers.Tokenizer.from_str(chat_tokenizer().to_str())
    tokenizer.add_special_tokens(["<tool_call>", "</think>"])
    model = Prompting(prompts_of(TEMPLATE), tokenizer, tags=TAGS[0], call_format=FORMATS["hermes"])

    shown = [tokenizer.token_to_id(mark) for mark in ("<tool_call>", "</think>")]
    assert not any(map(model.pieces.is_hidden, shown))
    assert model.pieces.is_hidden(tokenizer.token_to_id("<|im_end|>"))


def test_the_form_of_calls_and_thoughts_is_read_off_the_template(tmp_path):
    model = opened(folder_with(tmp_path, THINKING))

    assert model.call_format is FORMATS["hermes"]
    assert model.tags == TAGS[0]


def test_settings_win_over_the_template(tmp_path):
    model = opened(folder_with(tmp_path, THINKING), tool_format="llama3", reasoning=False)

    assert model.call_format is FORMATS["llama3"]
    assert model.tags is None


def test_a_folder_without_a_template_serves_texts(tmp_path):
    model = opened(folder_with(tmp_path, ""))

    assert model.call_format is FALLBACK
    assert model.encode("Once", 512)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "no such file"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "chat_template.jinja").write_text("{% if %}"), "line 1"),
    ],
)
def test_a_folder_that_cannot_be_used_names_the_file(tmp_path, harm, words):
    harm(folder_with(tmp_path))

    with pytest.raises(ArtifactError, match=words) as refused:
        opened(tmp_path)

    assert str(tmp_path) in str(refused.value)


def test_a_format_of_calls_that_nobody_knows_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"'hermse' is not known; .* hermes, "):
        opened(folder_with(tmp_path), tool_format="hermse")


def test_a_decoder_that_cannot_be_taken_apart_names_the_tokenizer(tmp_path):
    tokenizer = tokenizers.Tokenizer.from_str(chat_tokenizer().to_str())
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    folder_with(tmp_path)
    tokenizer.save(str(tmp_path / "tokenizer.json"))

    with pytest.raises(ArtifactError, match=r"tokenizer.json: the tokenizer's decoder \(WordPiece"):
        opened(tmp_path)


def test_a_tokenizer_neither_cuts_nor_pads(tmp_path):
    tokenizer = tokenizers.Tokenizer.from_str(chat_tokenizer().to_str())
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))

    assert len(read_tokenizer(tmp_path).encode("a b c d e f").ids) > 9 - 1
    assert len(read_tokenizer(tmp_path).encode("a").ids) == 1
