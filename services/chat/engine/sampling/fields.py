"""The tokens that one is drawn of: a whole vocabulary, or a few of it.

A token's weight is its share of the likeliest one's probability.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.sampling import blocks, race
from services.chat.engine.sampling.blocks import Ids, Values
from services.chat.engine.sampling.randomness import MOST_TOKENS, least_delays


class Field(Protocol):
    """Tokens with weights."""

    def draw(self, key: int) -> int:
        """Return a token with a probability that is proportional to its weight."""

    def mass(self) -> float:
        """Return the sum of the weights."""

    def least_mass(self) -> float:
        """Return what the sum of the weights is not below, in less time than the sum takes."""

    def likelier(self, token: int) -> "Part":
        """Return the tokens before one of them, likelier ones first; of alike ones lower ids."""

    def at_least(self, weight: float) -> "Part":
        """Return the tokens with at least a weight."""


class Whole:
    """All tokens."""

    def __init__(self, logits: Values, largest: Values, temperature: float) -> None:
        """Take a row.

        Args:
            logits: Of all tokens, at least one finite; -inf is never drawn.
            largest: Their `blocks.maxima`.
            temperature: Above 0.
        """
        assert len(logits) <= MOST_TOKENS
        self._logits = logits
        self._temperature = temperature
        self._largest = largest
        self._peak = largest.max()
        self._weights = self._weigh(largest)

    def draw(self, key: int) -> int:
        """Return a token with a probability that is proportional to its weight."""
        groups = np.arange(len(self._largest), dtype=np.uint32)
        with np.errstate(divide="ignore", over="ignore"):
            bounds = least_delays(key, groups) / self._weights
        return race.first(bounds, self._members, key)

    def mass(self) -> float:
        """Return the sum of the weights."""
        return blocks.total(self._weigh(self._logits))

    def least_mass(self) -> float:
        """Return the weight of the likeliest token of each block: in the mean nearly all of it."""
        return float(self._weights.sum(dtype=np.float64))

    def largest(self, count: int) -> "Part":
        """Return the `count` likeliest tokens, and all that are as likely as the last of them."""
        return self._part(blocks.largest_tokens(self._logits, self._largest, count))

    def likelier(self, token: int) -> "Part":
        """Return the tokens before one of them, likelier ones first; of alike ones lower ids."""
        logit = float(self._logits[token])
        return self._part(blocks.at_least(self._logits, self._largest, logit)).likelier(token)

    def at_least(self, weight: float) -> "Part":
        """Return the tokens with at least a weight."""
        # A little more than those: the weights themselves decide.
        edge = float(self._peak) + self._temperature * (math.log(weight) - 1e-3)
        return self._part(blocks.at_least(self._logits, self._largest, edge)).at_least(weight)

    def _members(self, groups: Ids) -> tuple[Ids, Values]:
        tokens = blocks.tokens_of(groups, len(self._logits))
        return tokens, self._weigh(self._logits[tokens])

    def _part(self, ids: Ids) -> "Part":
        logits = self._logits[ids]
        return Part(ids, logits, self._weigh(logits))

    def _weigh(self, logits: Values) -> Values:
        weights: Values = logits - self._peak
        weights *= np.float32(1 / self._temperature)
        np.exp(weights, out=weights)
        return weights


@dataclass(frozen=True, slots=True)
class Part:
    """Some tokens."""

    ids: Ids
    """Ascending."""
    logits: Values
    weights: Values

    def draw(self, key: int) -> int:
        """Return a token with a probability that is proportional to its weight."""
        with np.errstate(divide="ignore", over="ignore"):
            bounds = least_delays(key, self.ids.astype(np.uint32)) / self.weights
        return race.first(bounds, lambda places: (self.ids[places], self.weights[places]), key)

    def mass(self) -> float:
        """Return the sum of the weights."""
        return float(self.weights.sum(dtype=np.float64))

    def least_mass(self) -> float:
        """Return the sum of the weights: they are few."""
        return self.mass()

    def likelier(self, token: int) -> "Part":
        """Return the tokens before one of them, likelier ones first; of alike ones lower ids."""
        logit = self.logits[np.searchsorted(self.ids, token)]
        return self._kept((self.logits > logit) | ((self.logits == logit) & (self.ids < token)))

    def at_least(self, weight: float) -> "Part":
        """Return the tokens with at least a weight."""
        return self._kept(self.weights >= np.float32(weight))

    def _kept(self, mask: NDArray[np.bool_]) -> "Part":
        return Part(self.ids[mask], self.logits[mask], self.weights[mask])
