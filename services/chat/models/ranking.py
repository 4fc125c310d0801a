"""The best of several answers: all are made, the likeliest are returned."""

import math
from collections.abc import AsyncIterator
from dataclasses import replace

from services.chat.models.answers import Answers, Growth, Usage


class BestAnswers:
    """Waits for all answers to each prompt and returns the likeliest of them.

    An answer's likelihood is the mean log probability of its tokens: sums would prefer short ones.

    Source: https://platform.openai.com/docs/api-reference/completions/create (`best_of`)
    """

    def __init__(self, answers: Answers, *, made: int, returned: int, with_logprobs: bool) -> None:
        """Take answers that tell log probabilities.

        Args:
            answers: The answers to one or more prompts, those to one prompt side by side.
            made: How many there are for each prompt.
            returned: How many of them are returned.
            with_logprobs: Whether the caller is told the log probabilities.
        """
        self._answers = answers
        self._made = made
        self._returned = returned
        self._with_logprobs = with_logprobs

    @property
    def usage(self) -> Usage:
        """The cost so far, of all that are made."""
        return self._answers.usage

    async def __aiter__(self) -> AsyncIterator[list[Growth]]:
        """Return the likeliest answers, all at once."""
        whole: dict[int, Growth] = {}
        async for grown in self._answers:
            for growth in grown:
                before = whole.get(growth.choice)
                whole[growth.choice] = growth if before is None else _joined(before, growth)
        yield [
            replace(growth, choice=choice, logprobs=growth.logprobs if self._with_logprobs else ())
            for choice, growth in enumerate(self._best(whole))
        ]

    def _best(self, whole: dict[int, Growth]) -> list[Growth]:
        best = list[Growth]()
        for first in range(0, len(whole), self._made):
            made = [whole[choice] for choice in range(first, first + self._made)]
            best += sorted(made, key=_likelihood, reverse=True)[: self._returned]
        return best


def _joined(before: Growth, after: Growth) -> Growth:
    return Growth(
        before.choice,
        before.events + after.events,
        before.logprobs + after.logprobs,
        after.finish,
    )


def _likelihood(growth: Growth) -> float:
    known = [each.token.logprob for each in growth.logprobs if each.token.logprob is not None]
    return math.fsum(known) / len(known) if known else -math.inf
