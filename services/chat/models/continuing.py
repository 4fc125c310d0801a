"""Texts to go on with, as requests to the engine, and their answers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.chat.engine.conversation import Continuation
from services.chat.engine.request import Grammar, Request, Sampling
from services.chat.models.answers import Answers
from services.chat.models.prompting import Prompting
from services.chat.models.ranking import BestAnswers
from services.chat.models.writing import ChoiceWriter, PlainParser

NewGrammar = Callable[[], Grammar]
"""Makes what restrains each choice."""


@dataclass(frozen=True, slots=True)
class Continuing:
    """A continuation on its way through the engine."""

    asked: Continuation
    prompting: Prompting
    prompts: tuple[tuple[int, ...], ...]
    """The tokens of each prompt."""

    @classmethod
    def read(cls, asked: Continuation, prompting: Prompting, context_tokens: int) -> "Continuing":
        """Return a continuation with its prompts read.

        Raises:
            ContextLengthError: A prompt has far more tokens than `context_tokens`.
        """
        read = (
            prompting.encode(prompt, context_tokens) if isinstance(prompt, str) else prompt
            for prompt in asked.prompts
        )
        return cls(asked, prompting, tuple(read))

    def requests(
        self, advised: Sampling, *, key: str, deadline_s: float | None, grammar: NewGrammar | None
    ) -> list[Request]:
        """Return what the engine is asked for, one request a prompt.

        Raises:
            InvalidRequestError: A field is out of its range; `param` names it.
        """
        wishes = self.asked.wishes
        sampling = wishes.sampling(advised)
        if self._is_ranked and sampling.top_logprobs is None:
            sampling = replace(sampling, top_logprobs=0)
        tells_prompt = self.asked.echo and wishes.top_logprobs is not None
        return [
            Request(
                prompt=prompt,
                param="prompt",
                sampling=sampling,
                max_tokens=wishes.max_tokens,
                stops=wishes.stops,
                choices=self.asked.made,
                key=key,
                deadline_s=deadline_s,
                grammar=grammar,
                prompt_logprobs=wishes.top_logprobs if tells_prompt else None,
            )
            for prompt in self.prompts
        ]

    def new_writer(self, choice: int) -> ChoiceWriter:
        """Return what collects an answer; answers to one prompt stand side by side."""
        prompt = choice // self.asked.made
        opening = self._text(prompt) if self.asked.echo else ""
        return ChoiceWriter(PlainParser(), self.prompting.pieces, opening=opening)

    def ranked(self, answers: Answers) -> Answers:
        """Return the answers that the caller gets: the best where more are made than wanted."""
        if not self._is_ranked:
            return answers
        return BestAnswers(
            answers,
            made=self.asked.made,
            returned=self.asked.wishes.choices,
            with_logprobs=self.asked.wishes.top_logprobs is not None,
        )

    @property
    def _is_ranked(self) -> bool:
        return self.asked.made > self.asked.wishes.choices

    def _text(self, place: int) -> str:
        prompt = self.asked.prompts[place]
        if isinstance(prompt, str):
            return prompt
        data = b"".join(map(self.prompting.pieces.bytes_of, prompt))
        return data.decode("utf-8", "replace")
