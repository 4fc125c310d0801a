"""What comes back from a model while it answers: the doors write it out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from services.chat.engine.events import Event

FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as callers see it."""

    text: str
    """With U+FFFD for what is no whole character."""
    data: bytes
    """Its exact bytes."""
    logprob: float | None
    """None for the first token of a text: nothing comes before it."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer, and what might have stood there."""

    token: TokenText
    top: tuple[TokenText, ...] = ()
    """The likeliest tokens, the likeliest first; as many as were asked for."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What one choice has grown by since the caller looked last."""

    choice: int
    """Which of the answers, from 0."""
    events: tuple[Event, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens behind the events; empty where they were not asked for."""
    finish: FinishReason | None = None
    """Why it ended, with its last growth."""


@dataclass(slots=True)
class Usage:
    """What a request took so far, in tokens."""

    model: str
    """The id of the model that answers."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Tokens of the prompt that were not computed again."""
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    """Tokens of the completion that were thoughts."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def told(self) -> dict[str, object]:
        """Return it as the ledger takes it, in the trailer `x-switchboard-usage`."""
        return {
            "model": self.model,
            "input_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.completion_tokens,
        }


class Answers(Protocol):
    """The answers to one request, as they grow."""

    @property
    def usage(self) -> Usage:
        """The cost so far; it grows with the answers."""

    def __aiter__(self) -> AsyncIterator[list[Growth]]:
        """Return everything that has come since the last time, a choice at most once.

        Raises:
            ServiceError: The engine refused the request, or it ended before its time.
        """
