"""What only our engine is asked: answers that come and go, prompts seen before, and its memory."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.chat_peers.candidate import first_token_ms, random_prompts
from services.chat.engine.outputs import Delta

if TYPE_CHECKING:
    from benchmarks.chat_peers.ours import Ours

SLOTS = 16
SHORT_CONTEXT_TOKENS = 128
"""For the memory: so that all of a slot is soon used."""


def measures(ours: "Ours") -> dict[str, Callable[..., Any]]:
    """Return the measures by name, as a worker answers them."""
    return {
        "answers_tokens_s": lambda **how: answers_tokens_s(ours, **how),
        "shared_prefix_ms": lambda **how: shared_prefix_ms(ours, **how),
        "long_prompt_ms": lambda **how: long_prompt_ms(ours, **how),
        "resident_mb": lambda **how: resident_mb(ours, **how),
    }


def answers_tokens_s(ours: "Ours", sequences: int, prompt_tokens: int, tokens: int) -> float:
    """Return how many tokens a second whole answers take, their prompts read in that time."""
    start = time.perf_counter()
    for prompt in random_prompts(sequences, prompt_tokens):
        ours.add(prompt, tokens)
    while not ours.is_idle:
        ours.advance()
    return sequences * tokens / (time.perf_counter() - start)


def shared_prefix_ms(ours: "Ours", prompt_tokens: int, shared_tokens: int) -> float:
    """Return the time to the first token of a prompt of which the beginning was there before."""
    (before,) = random_prompts(1, prompt_tokens)
    ours.start([before], sampled=False)
    ours.finish()
    (rest,) = random_prompts(1, prompt_tokens - shared_tokens)
    start = time.perf_counter()
    ours.start([before[:shared_tokens] + rest], sampled=False)
    elapsed_ms = 1000 * (time.perf_counter() - start)
    ours.finish()
    return elapsed_ms


def long_prompt_ms(ours: "Ours", prompt_tokens: int) -> dict[str, float]:
    """Return how long an answer was silent while a long prompt was read, at most.

    Beside it the longest step that read a part of the prompt, and the longest that wrote a token.
    """
    first_token_ms(ours, 64)
    stream = ours.add(random_prompts(1, 64)[0])
    while not ours.advance():
        pass
    late = ours.add(random_prompts(1, prompt_tokens)[0], 1)
    gaps, reading, writing = [0.0], [0.0], [0.0]
    heard = time.perf_counter()
    while not late.is_finished:
        start = time.perf_counter()
        outputs = ours.advance()
        now = time.perf_counter()
        if any(isinstance(output, Delta) and output.job is stream for output in outputs):
            gaps.append(now - heard)
            writing.append(now - start)
            heard = now
        else:
            reading.append(now - start)
    ours.end(stream)
    return {
        "gap": 1000 * max(gaps),
        "chunk": 1000 * max(reading),
        "token": 1000 * max(writing),
    }


def resident_mb(ours: "Ours", requests: int) -> list[float]:
    """Return how much memory the process holds after each tenth of so many short requests.

    The memory of all slots is written first: the system lends each page as it is needed.
    """
    ours.start(random_prompts(SLOTS, SHORT_CONTEXT_TOKENS * 3 // 4), sampled=True)
    ours.finish()
    sizes = []
    for _ in range(10):
        for number in range(requests // 10):
            ours.add(
                random_prompts(1, 8 + number % 32)[0], 1 + number % 4, sampled=bool(number % 2)
            )
        while not ours.is_idle:
            ours.advance()
        sizes.append(_resident_mb())
    return sizes


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
