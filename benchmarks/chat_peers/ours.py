"""Our engine in this process: slots, scheduler, sampling and text, without a door."""

import sys
import time
from pathlib import Path

import tokenizers

from benchmarks.chat_peers import candidate, ours_measures, worker
from benchmarks.chat_peers.ours_measures import SLOTS
from services.chat.config import ChatModelSettings
from services.chat.engine.decoder import open_decoder
from services.chat.engine.loop import Engine, Limits
from services.chat.engine.outputs import Output
from services.chat.engine.request import Request, Sampling
from services.chat.engine.sequence import Job
from services.chat.engine.text.pieces import Pieces
from services.runtime.onnx import SessionOptions

CHUNK_TOKENS = 128
GREEDY = Sampling(temperature=0)
SAMPLED = Sampling(temperature=0.8, top_p=0.95)


class Ours:
    """The engine, with answers that nothing but their length ends."""

    def __init__(self, folder: str, threads: int, context_tokens: int) -> None:
        settings = ChatModelSettings(
            id="m", folder=Path(folder), slots=SLOTS, context_tokens=context_tokens
        )
        decoder = open_decoder(settings, SessionOptions("cpu", threads=threads))
        tokenizer = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
        limits = Limits(context_tokens, decoder.runner.vocabulary, frozenset(), CHUNK_TOKENS)
        self._engine = Engine(decoder.runner, Pieces(tokenizer), limits, decoder.sampler)
        self._jobs: list[Job] = []

    @property
    def is_idle(self) -> bool:
        """Whether all answers have ended."""
        return self._engine.is_idle

    def add(self, prompt: list[int], tokens: int | None = None, *, sampled: bool = False) -> Job:
        """Begin one more answer."""
        sampling = SAMPLED if sampled else GREEDY
        return self._engine.add(Request(tuple(prompt), sampling, max_tokens=tokens))

    def advance(self) -> list[Output]:
        """Do one step of the engine."""
        return self._engine.step(time.monotonic())

    def start(self, prompts: list[list[int]], *, sampled: bool) -> None:
        self._jobs = [self.add(prompt, sampled=sampled) for prompt in prompts]
        silent = {*self._jobs}
        while silent:
            silent -= {output.job for output in self.advance()}

    def step(self) -> None:
        assert len(self.advance()) == len(self._jobs)

    def finish(self) -> None:
        for job in self._jobs:
            self.end(job)

    def end(self, job: Job) -> None:
        """End what is left of a request."""
        self._engine.cancel(job)


if __name__ == "__main__":
    ours = Ours(sys.argv[1], *map(int, sys.argv[2:]))
    worker.serve(candidate.measures(ours) | ours_measures.measures(ours))
