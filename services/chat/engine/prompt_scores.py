"""How likely the model found each token of a prompt, collected while the prompt is read."""

import math
from collections.abc import Sequence

import numpy as np

from services.chat.engine.runner import Logits
from services.chat.engine.sampling.logprobs import Logprobs, logprobs_of


class PromptScores:
    """The log probabilities of a prompt's tokens, as far as it was read."""

    def __init__(self, prompt: Sequence[int], top: int) -> None:
        """Begin with the first token, before which nothing comes.

        Args:
            prompt: Token ids, at least one.
            top: How many of the likeliest tokens to tell at each place.
        """
        self._prompt = prompt
        self._top = top
        self._logprobs: list[Logprobs | None] = [None]

    @property
    def logprobs(self) -> tuple[Logprobs | None, ...]:
        """One for each token that is known; None for the first one."""
        return tuple(self._logprobs)

    @property
    def are_finite(self) -> bool:
        """Whether the model gave finite numbers so far."""
        return not any(entry and math.isnan(entry.token) for entry in self._logprobs)

    def extend(self, logits: Logits) -> None:
        """Take the logits after the next tokens of the prompt, (tokens, vocabulary)."""
        following = self._prompt[len(self._logprobs) :]
        with np.errstate(invalid="ignore"):  # infinite logits, which `are_finite` tells
            self._logprobs += [
                logprobs_of(row, token, self._top)
                for row, token in zip(logits, following, strict=False)
            ]
