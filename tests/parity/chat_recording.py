"""Engines that serve recorded decoders: what was computed after which tokens."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from services.chat.config import ChatModelSettings
from services.chat.engine.decoder import open_decoder
from services.chat.engine.loop import Engine, Limits
from services.chat.engine.outputs import Delta, Finish
from services.chat.engine.request import Request
from services.chat.engine.runner import Logits, Row, Runner
from services.chat.engine.text.pieces import Pieces
from services.runtime.onnx import SessionOptions
from tests.unit.chat.tokenizers_of_tests import byte_level

CPU = SessionOptions("cpu", threads=2)


class Recording:
    """A runner that notes the logits after every text that it was asked for."""

    def __init__(self, runner: Runner) -> None:
        """Take the runner that computes them."""
        self.slots = runner.slots
        self.vocabulary = runner.vocabulary
        self.capacity_tokens = runner.capacity_tokens
        self.logits_after: dict[tuple[int, ...], Logits] = {}
        """By all tokens that a slot held, however they came there."""
        self.widest = 0
        """The most rows of one step."""
        self._runner = runner
        self._held: list[list[int]] = [[] for _ in range(runner.slots)]

    def prefill(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens; note the last logits."""
        logits = self._runner.prefill(slot, tokens, start)
        self._note(slot, tokens, start, logits)
        return logits

    def score(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens; note the logits after each of them."""
        logits = self._runner.score(slot, tokens, start)
        self._note(slot, tokens, start, logits)
        return logits

    def decode(self, rows: Sequence[Row]) -> Logits:
        """Read a token a row; note the logits of each row."""
        logits = self._runner.decode(rows)
        self.widest = max(self.widest, len(rows))
        for row, of_row in zip(rows, logits, strict=True):
            self._note(row.slot, [row.token], row.start, of_row[None])
        return logits

    def copy(self, source: int, slot: int, tokens: int) -> None:
        """Copy what a slot begins with."""
        self._runner.copy(source, slot, tokens)
        self._held[slot] = self._held[source][:tokens]

    def _note(self, slot: int, tokens: Sequence[int], start: int, logits: Logits) -> None:
        held = [*self._held[slot][:start], *tokens]
        assert len(held) == start + len(tokens)
        self._held[slot] = held
        for place, of_place in enumerate(logits, len(held) - len(logits) + 1):
            self.logits_after[tuple(held[:place])] = of_place.copy()


class Served:
    """An engine whose decoder is recorded."""

    def __init__(self, folder: Path, *, chunk: int, slots: int, context: int | None) -> None:
        """Open a model folder as the service does."""
        settings = ChatModelSettings(id="tiny", folder=folder, slots=slots, context_tokens=context)
        self.recording = Recording(open_decoder(settings, CPU).runner)
        self.cached_tokens: list[int] = []
        """Of each answer, in the order of their ends."""
        limits = Limits(
            self.recording.capacity_tokens, self.recording.vocabulary, frozenset(), chunk
        )
        self._engine = Engine(self.recording, Pieces(byte_level()), limits)

    def answer(self, *requests: Request) -> list[list[int]]:
        """Serve requests at once; return the tokens of every choice of each, in their order."""
        jobs = [self._engine.add(request) for request in requests]
        answers = {(job, n): list[int]() for job in jobs for n in range(job.request.choices)}
        while not self._engine.is_idle:
            for output in self._engine.step(0.0):
                match output:
                    case Delta():
                        answers[output.job, output.choice].append(output.token)
                    case Finish():
                        self.cached_tokens.append(output.usage.cached_tokens)
            self._engine.check_integrity()
        return list(answers.values())

    def logits_along(self, tokens: Sequence[int], first: int) -> Logits:
        """Return the logits by which each token from the first on was chosen or scored."""
        after = self.recording.logits_after
        return np.stack([after[tuple(tokens[:n])] for n in range(first, len(tokens))])


def serve(folder: Path, *, chunk: int = 16, slots: int = 4, context: int | None = None) -> Served:
    """Open a model folder as the service does, and serve it."""
    return Served(folder, chunk=chunk, slots=slots, context=context)
