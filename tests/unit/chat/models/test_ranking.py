import asyncio
import math

import pytest

from services.chat.engine.events import ContentDelta
from services.chat.models.answers import Growth, TokenLogprob, TokenText, Usage
from services.chat.models.ranking import BestAnswers

USAGE = Usage("tiny")


class Told:
    """Answers that were made before."""

    usage = USAGE

    def __init__(self, *steps):
        self._steps = steps

    async def __aiter__(self):
        for step in self._steps:
            yield list(step)


def grown(choice, text, *logprobs, finish=None):
    tokens = (TokenLogprob(TokenText("t", b"t", logprob)) for logprob in logprobs)
    return Growth(choice, (ContentDelta(text),), tuple(tokens), finish)


def best(*steps, made, returned=1, with_logprobs=False):
    """Return what is told of some answers; it comes at once."""

    async def read():
        answers = BestAnswers(
            Told(*steps), made=made, returned=returned, with_logprobs=with_logprobs
        )
        assert answers.usage is USAGE
        return [step async for step in answers]

    (told,) = asyncio.run(read())
    return told


def texts(growths):
    return ["".join(event.text for event in growth.events) for growth in growths]


def test_the_likeliest_answer_is_returned_as_the_first():
    told = best(
        [grown(0, "bad", -3.0, finish="stop"), grown(1, "good", -0.5, finish="length")], made=2
    )

    assert texts(told) == ["good"]
    assert told[0].choice == 0
    assert told[0].finish == "length"


def test_answers_are_put_together_before_they_are_compared():
    told = best(
        [grown(0, "a", -0.1), grown(1, "b", -1.0)],
        [grown(0, "c", -9.0, finish="stop")],
        [grown(1, "d", -1.0, finish="stop")],
        made=2,
    )

    assert texts(told) == ["bd"]


def test_a_long_answer_is_not_worse_for_its_length():
    told = best(
        [grown(0, "short", -1.0), grown(1, "long", *[-0.9] * 50)],
        made=2,
        returned=2,
        with_logprobs=True,
    )

    assert texts(told) == ["long", "short"]
    assert [len(growth.logprobs) for growth in told] == [50, 1]


def test_log_probabilities_are_told_only_where_they_were_asked_for():
    told = best([grown(0, "a", -1.0), grown(1, "b", -2.0)], made=2)

    assert told[0].logprobs == ()


def test_each_prompt_has_its_own_best_answers():
    told = best(
        [grown(choice, f"{choice}", logprob) for choice, logprob in enumerate([-3, -1, -2, -9])],
        made=2,
    )

    assert texts(told) == ["1", "2"]
    assert [growth.choice for growth in told] == [0, 1]


@pytest.mark.parametrize("impossible", [(-math.inf,), (), (None,)])
def test_an_answer_of_which_nothing_is_known_comes_last(impossible):
    told = best([grown(0, "odd", *impossible), grown(1, "usual", -50.0)], made=2, returned=2)

    assert texts(told) == ["usual", "odd"]


def test_of_answers_that_are_alike_the_first_comes_first():
    told = best([grown(choice, f"{choice}", -1.0) for choice in range(3)], made=3, returned=3)

    assert texts(told) == ["0", "1", "2"]
