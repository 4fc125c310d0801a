"""What the engine tells while it works."""

from dataclasses import dataclass

from services.chat.engine.sampling.logprobs import Logprobs
from services.chat.engine.sequence import Job, Reason


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took, in tokens."""

    prompt_tokens: int
    cached_tokens: int
    """Tokens of the prompt that were not computed again."""
    answer_tokens: int
    """A token that ends the answer is one of them."""


@dataclass(frozen=True, slots=True)
class PromptLogprobs:
    """The prompt of a job was read; comes before everything else of it, where it was asked for."""

    job: Job
    logprobs: tuple[Logprobs | None, ...]
    """One for each token of the prompt; None for the first one, before which nothing comes."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One more token of an answer; a token that ends it comes as `Finish`."""

    job: Job
    choice: int
    """Which of the answers, from 0."""
    token: int
    text: str
    """What is certain of the text by now: nothing while a character, or what may become a stop
    string, is incomplete."""
    logprobs: Logprobs | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """An answer has ended."""

    job: Job
    choice: int
    reason: Reason
    text: str
    """What was held back of the text."""
    usage: Usage


Output = PromptLogprobs | Delta | Finish
