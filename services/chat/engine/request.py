"""What the engine is asked for: token ids in, how to choose the next ones, when to stop."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.runtime.errors import InvalidRequestError

MAX_CHOICES = 128
MAX_TOP_LOGPROBS = 20
MAX_BIAS = 100.0
MIN_TEMPERATURE = 1e-5
"""Below it the likeliest token is taken: shares of others are 0 in fp32."""


class Grammar(Protocol):
    """What an answer may consist of; one is made for each choice, and follows it."""

    def mask(self) -> NDArray[np.uint32]:
        """Return which tokens may come next: bit `t % 32` of word `t // 32`.

        A mask that allows none fails the answer, and no other one.
        """

    def accept(self, token: int) -> None:
        """Go on by a token that was allowed."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; the defaults choose by the model's own distribution.

    Source: https://platform.openai.com/docs/api-reference/chat/create; `top_k`, `min_p` and
    `repetition_penalty` as in https://huggingface.co/docs/transformers/main_classes/text_generation
    """

    temperature: float = 1.0
    """0 to 2; 0 takes the likeliest token."""
    top_k: int = 0
    """Only the so many likeliest tokens; 0 takes all."""
    top_p: float = 1.0
    """Only the likeliest tokens that together have this probability, 0 to 1."""
    min_p: float = 0.0
    """Only tokens that have this share of the likeliest one's probability, 0 to 1."""
    repetition_penalty: float = 1.0
    """Weakens what is in prompt or answer, above 0; 1 changes nothing."""
    frequency_penalty: float = 0.0
    """Taken from a logit each time that its token is in the answer, -2 to 2."""
    presence_penalty: float = 0.0
    """Taken from a logit once if its token is in the answer, -2 to 2."""
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    """Added to logits, -100 to 100, by token id."""
    seed: int | None = None
    """The same seed gives the same answer; None takes a fresh one."""
    top_logprobs: int | None = None
    """Tells the log probability of each token, and of so many likeliest ones, 0 to 20."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            InvalidRequestError: A field is out of its range; `param` names it.
        """
        _check("temperature", self.temperature, 0, 2)
        _check("top_k", self.top_k, 0, 2**31)
        _check("top_p", self.top_p, 0, 1)
        _check("min_p", self.min_p, 0, 1)
        _check("repetition_penalty", self.repetition_penalty, 0.01, 100)
        _check("frequency_penalty", self.frequency_penalty, -2, 2)
        _check("presence_penalty", self.presence_penalty, -2, 2)
        _check("top_logprobs", self.top_logprobs or 0, 0, MAX_TOP_LOGPROBS)
        for token, bias in self.logit_bias.items():
            if token < 0:
                raise _invalid("logit_bias", f"{token} is no token id.")
            _check("logit_bias", bias, -MAX_BIAS, MAX_BIAS)

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken."""
        return self.temperature < MIN_TEMPERATURE


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt, and what to do with it."""

    prompt: tuple[int, ...]
    """Token ids, at least one."""
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    """The longest answer; 0 only reads the prompt, None goes on to the end of the context."""
    prompt_logprobs: int | None = None
    """Tells the log probability of each token of the prompt, and of so many likeliest ones in its
    place, 0 to 20; None tells nothing."""
    stops: tuple[str, ...] = ()
    """Texts that end an answer and are no part of it, none empty."""
    stop_tokens: frozenset[int] = frozenset()
    """Tokens that end an answer, beside the model's own."""
    choices: int = 1
    """Answers to give, 1 to 128."""
    key: str = ""
    """Whom it is for; keys share the engine fairly."""
    deadline_s: float | None = None
    """When the caller stops waiting, on the clock of `time.monotonic`."""
    grammar: Callable[[], Grammar] | None = None
    """Makes what restrains each choice."""
    param: str = "messages"
    """The caller's name for the prompt, for messages about it."""
    fresh_seed: int = field(default_factory=lambda: secrets.randbits(63))
    """The seed where `sampling` has none."""

    def __post_init__(self) -> None:
        """Check what can be checked without the model.

        Raises:
            InvalidRequestError: A field is out of its range; `param` names it.
        """
        if not self.prompt:
            raise _invalid(self.param, "the prompt has no tokens.")
        if self.max_tokens is not None and self.max_tokens < 0:
            raise _invalid("max_tokens", f"{self.max_tokens} is less than 0.")
        _check("logprobs", self.prompt_logprobs or 0, 0, MAX_TOP_LOGPROBS)
        if not all(self.stops):
            raise _invalid("stop", "a stop string is empty.")
        _check("n", self.choices, 1, MAX_CHOICES)

    @property
    def seed(self) -> int:
        """What all its random numbers come from."""
        return self.fresh_seed if self.sampling.seed is None else self.sampling.seed


def _check(param: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise _invalid(param, f"{value} should be between {low} and {high}.")


def _invalid(param: str, what: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid value for '{param}': {what}", param=param, code="invalid_value"
    )
