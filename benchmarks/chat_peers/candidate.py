"""What is measured, and the measures that are the same for every candidate."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

LETTERS = 94
"""Tokens that prompts are made of: printable ASCII, of which each character is one token."""


class Candidate(Protocol):
    """Something that writes answers to several prompts at the same time."""

    def start(self, prompts: list[list[int]], *, sampled: bool) -> None:
        """Read new prompts; each has its first token then."""

    def step(self) -> None:
        """Write one more token of each answer."""

    def finish(self) -> None:
        """End the answers."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast tokens came."""

    tokens_s: float
    step_ms: tuple[float, ...]
    """What each step took: the time between two tokens of one answer."""


def random_prompts(count: int, length: int) -> list[list[int]]:
    """Return prompts that nobody has seen before."""
    randomly = np.random.default_rng()
    return randomly.integers(1, LETTERS, size=(count, length)).tolist()


def decode(
    candidate: Candidate, sequences: int, tokens: int, prompt_tokens: int = 64, *, sampled: bool
) -> Speed:
    """Measure how fast answers grow, from the second token on."""
    candidate.start(random_prompts(sequences, prompt_tokens), sampled=sampled)
    steps = []
    for _ in range(tokens):
        start = time.perf_counter()
        candidate.step()
        steps.append(time.perf_counter() - start)
    candidate.finish()
    times = tuple(1000 * step for step in steps)
    return Speed(sequences / statistics.median(steps), times)


def first_token_ms(candidate: Candidate, prompt_tokens: int) -> float:
    """Measure how long one prompt takes to its first token."""
    prompts = random_prompts(1, prompt_tokens)
    start = time.perf_counter()
    candidate.start(prompts, sampled=False)
    elapsed_ms = 1000 * (time.perf_counter() - start)
    candidate.finish()
    return elapsed_ms


def measures(candidate: Candidate) -> dict[str, Callable[..., Any]]:
    """Return the measures by name, as a worker answers them."""
    return {
        "decode": lambda **how: asdict(decode(candidate, **how)),
        "first_token_ms": lambda **how: first_token_ms(candidate, **how),
    }
