import pytest

from services.chat.engine.conversation import Tool
from services.chat.engine.events import (
    ContentDelta,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallEnd,
    ToolCallStart,
)
from services.chat.engine.outputs import Delta, Finish, Usage
from services.chat.engine.reasoning import TAGS, AnswerParser, ReasoningParser
from services.chat.engine.sampling.logprobs import Logprobs
from services.chat.engine.sequence import Job, Reason
from services.chat.engine.text.pieces import Pieces
from services.chat.engine.tool_calls.formats import FORMATS
from services.chat.models.writing import ChoiceWriter, PlainParser
from services.runtime.errors import DeadlineError, InternalError, InvalidRequestError
from tests.unit.chat.decoding import ask
from tests.unit.chat.tokenizers_of_tests import byte_level

JOB = Job(ask([1]))


def writer(parser=None, **more):
    return ChoiceWriter(parser or PlainParser(), Pieces(byte_level()), **more)


def delta(text, token=65, logprobs=None):
    return Delta(JOB, 0, token, text, logprobs)


def finish(reason=Reason.STOP, text="", tokens=3):
    return Finish(JOB, 0, reason, text, Usage(1, 0, tokens))


def calling():
    tools = {tool.name: {} for tool in [Tool("find")]}
    return FORMATS["hermes"].new_parser(tools, lambda count: "x" * count)


def test_neighbouring_texts_come_as_one():
    one = writer()
    for text in ("Hel", "lo", "", "!"):
        one.note(delta(text))

    growth = one.take(4)

    assert growth.choice == 4
    assert growth.events == (ContentDelta("Hello!"),)
    assert growth.finish is None
    assert one.take(4) is None


def test_what_was_held_back_comes_with_the_end():
    one = writer()
    one.note(delta("a"))
    one.note(finish(text="bc"))

    growth = one.take(0)

    assert growth.events == (ContentDelta("abc"),)
    assert growth.finish == "stop"
    assert one.is_finished


def test_an_answer_that_is_cut_says_length():
    one = writer()
    one.note(finish(Reason.LENGTH))

    assert one.take(0).finish == "length"


def test_an_answer_with_a_call_says_tool_calls_and_its_arguments_come_as_one():
    one = writer(calling())
    for text in ("Well.", "<tool_call>", '{"name": "find", "arg', 'uments": {"a"', ": 1}}"):
        one.note(delta(text))
    one.note(finish(text="</tool_call>"))

    growth = one.take(0)

    assert growth.events == (
        ContentDelta("Well."),
        ToolCallStart(0, "call_" + "x" * 24, "find"),
        ToolCallArguments(0, '{"a": 1}'),
        ToolCallEnd(0),
    )
    assert growth.finish == "tool_calls"


def test_tokens_of_thoughts_are_counted_apart():
    parser = AnswerParser(ReasoningParser(TAGS[0], is_open=True), PlainParser())
    one = writer(parser, thinks=True)
    for text in ("Hm", ", well.", "</think>", "Yes", "."):
        one.note(delta(text))

    assert (one.completion_tokens, one.reasoning_tokens) == (5, 3)
    assert one.take(0).events == (ReasoningDelta("Hm, well."), ContentDelta("Yes."))


def test_an_opening_comes_before_what_the_model_says():
    one = writer(opening="Once")
    one.note(delta(" upon"))

    assert one.take(0).events == (ContentDelta("Once upon"),)


def test_log_probabilities_are_told_with_text_and_bytes():
    token = byte_level().token_to_id("é"[0]) or byte_level().encode("é").ids[0]
    one = writer()
    one.note(delta("", token, Logprobs(-0.5, ((token, -0.5), (66, -2.0)))))

    (told,) = one.take(0).logprobs

    assert told.token.logprob == -0.5
    assert told.token.data == Pieces(byte_level()).bytes_of(token)
    assert [each.logprob for each in told.top] == [-0.5, -2.0]


def test_the_prompts_log_probabilities_come_first_and_its_first_token_has_none():
    one = writer(opening="ab")
    one.note_prompt([65, 66], [None, Logprobs(-1.0, ())])
    one.note(delta("c", 67, Logprobs(-3.0, ())))

    assert [each.token.logprob for each in one.take(0).logprobs] == [None, -1.0, -3.0]


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.DEADLINE, DeadlineError),
        (Reason.FAILED, InternalError),
        (Reason.CANCELLED, InternalError),
        (Reason.UNWRITABLE, InvalidRequestError),
    ],
)
def test_an_answer_that_ends_before_its_time_is_an_error(reason, error):
    with pytest.raises(error):
        writer().note(finish(reason))


def test_the_usage_at_the_end_is_the_engines():
    one = writer()
    one.note(delta("a"))
    one.note(finish(tokens=2))

    assert one.completion_tokens == 2
