"""Engines on tiny decoders, and what comes out of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.chat.config import ChatModelSettings
from services.chat.engine.decoder import open_decoder
from services.chat.engine.loop import Engine, Limits
from services.chat.engine.outputs import Delta, Finish, Output, PromptLogprobs
from services.chat.engine.request import Request, Sampling
from services.chat.engine.runner import Logits, Row, Runner
from services.chat.engine.sequence import Job
from services.chat.engine.text.pieces import Pieces
from services.runtime.onnx import SessionOptions
from tests.models.decoder import Shape, random_weights
from tests.models.decoder_folder import write_decoder
from tests.unit.chat.tokenizers_of_tests import byte_level

SHAPE = Shape(vocabulary=320, context=96)
WEIGHTS = random_weights(SHAPE)
GREEDY = Sampling(temperature=0)
CPU = SessionOptions("cpu", threads=1)


def open_runner(folder: Path, *, slots: int = 5, context: int | None = None, **form: Any) -> Runner:
    """Write a tiny decoder and open it."""
    return open_shape(SHAPE, folder, slots=slots, context=context, **form)


def open_shape(
    shape: Shape, folder: Path, *, slots: int = 5, context: int | None = None, **form: Any
) -> Runner:
    """Write a tiny decoder of another shape, which has the same weights, and open it."""
    write_decoder(folder, shape, WEIGHTS, **form)
    settings = ChatModelSettings(id="tiny", folder=folder, slots=slots, context_tokens=context)
    return open_decoder(settings, CPU).runner


class Watched:
    """A runner that notes what it is told to do."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.slots = runner.slots
        self.vocabulary = runner.vocabulary
        self.capacity_tokens = runner.capacity_tokens
        self.prefills: list[int] = []
        self.scores: list[int] = []
        self.decodes: list[int] = []
        self.copies: list[int] = []

    def prefill(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        self.prefills.append(len(tokens))
        return self._runner.prefill(slot, tokens, start)

    def score(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        self.scores.append(len(tokens))
        return self._runner.score(slot, tokens, start)

    def decode(self, rows: Sequence[Row]) -> Logits:
        self.decodes.append(len(rows))
        return self._runner.decode(rows)

    def copy(self, source: int, slot: int, tokens: int) -> None:
        self.copies.append(tokens)
        self._runner.copy(source, slot, tokens)


class Scripted:
    """A runner without a network: after token `t` comes `t + 1`, or what `logits` says."""

    def __init__(self, *, slots: int = 4, vocabulary: int = 320, capacity: int = 96) -> None:
        self.slots = slots
        self.vocabulary = vocabulary
        self.capacity_tokens = capacity
        self.held: list[list[int]] = [[] for _ in range(slots)]

    def prefill(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        assert len(self.held[slot]) >= start
        self.held[slot][start:] = tokens
        assert len(self.held[slot]) <= self.capacity_tokens
        return self.logits_after(tokens[-1])[None]

    def score(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        each = [self.prefill(slot, [token], start + n) for n, token in enumerate(tokens)]
        return np.concatenate(each)

    def decode(self, rows: Sequence[Row]) -> Logits:
        return np.concatenate([self.prefill(row.slot, [row.token], row.start) for row in rows])

    def copy(self, source: int, slot: int, tokens: int) -> None:
        assert len(self.held[source]) >= tokens
        self.held[slot] = self.held[source][:tokens]

    def logits_after(self, token: int) -> Logits:
        logits = np.zeros(self.vocabulary, np.float32)
        logits[(token + 1) % self.vocabulary] = 50
        return logits


def make_engine(
    runner: Runner, *, chunk: int = 8, eos: Sequence[int] = (), pieces: Pieces | None = None
) -> Engine:
    """Return an engine whose tokens are those of a small byte-level vocabulary."""
    limits = Limits(runner.capacity_tokens, runner.vocabulary, frozenset(eos), chunk)
    return Engine(runner, pieces or Pieces(byte_level()), limits)


def ask(prompt: Sequence[int], **fields: Any) -> Request:
    """Return a greedy request, where `fields` say nothing else."""
    return Request(tuple(prompt), **{"sampling": GREEDY, "max_tokens": 12, **fields})


@dataclasses.dataclass
class Answer:
    """What the engine told of one choice."""

    tokens: list[int] = dataclasses.field(default_factory=list)
    text: str = ""
    logprobs: list[Any] = dataclasses.field(default_factory=list)
    prompt_logprobs: Any = None
    finish: Finish | None = None


def collect(outputs: Sequence[Output]) -> dict[tuple[Job, int], Answer]:
    """Put together what belongs to each answer; nothing comes after its end."""
    answers: dict[tuple[Job, int], Answer] = {}
    for output in outputs:
        if isinstance(output, PromptLogprobs):
            assert output.job not in {job for job, _ in answers}
            answers[output.job, 0] = Answer(prompt_logprobs=output.logprobs)
            continue
        answer = answers.setdefault((output.job, output.choice), Answer())
        assert answer.finish is None
        answer.text += output.text
        match output:
            case Delta():
                answer.tokens.append(output.token)
                answer.logprobs.append(output.logprobs)
            case Finish():
                answer.finish = output
    return answers


def run_all(engine: Engine, now_s: float = 0.0) -> list[Output]:
    """Step until nothing is left to do."""
    outputs: list[Output] = []
    while not engine.is_idle:
        outputs += engine.step(now_s)
        engine.check_integrity()
    return outputs


def answer_one(engine: Engine, request: Request) -> Answer:
    """Serve one request with one choice."""
    job = engine.add(request)
    return collect(run_all(engine))[job, 0]


def answer_all(engine: Engine, requests: Sequence[Request]) -> list[Answer]:
    """Serve several requests of one choice at once."""
    jobs = [engine.add(request) for request in requests]
    answers = collect(run_all(engine))
    return [answers[job, 0] for job in jobs]
