"""llama.cpp through its batch interface, without its server."""

import ctypes
import sys

import llama_cpp as cpp
import numpy as np

from benchmarks.chat_peers import candidate, worker

MOST_SEQUENCES = 16
MOST_TOKENS = 640
"""Of one sequence."""
BATCH = 512


class Llama:
    """Sequences in one context; greedy answers are chosen with NumPy, others by its sampler."""

    def __init__(self, path: str, threads: int) -> None:
        cpp.llama_backend_init()
        self._model = cpp.llama_model_load_from_file(
            path.encode(), cpp.llama_model_default_params()
        )
        settings = cpp.llama_context_default_params()
        settings.n_ctx = MOST_SEQUENCES * MOST_TOKENS
        settings.n_batch = settings.n_ubatch = BATCH
        settings.n_seq_max = MOST_SEQUENCES
        settings.n_threads = settings.n_threads_batch = threads
        self._context = cpp.llama_init_from_model(self._model, settings)
        self._memory = cpp.llama_get_memory(self._context)
        self._batch = cpp.llama_batch_init(BATCH, 0, MOST_SEQUENCES)
        self._vocabulary = cpp.llama_vocab_n_tokens(cpp.llama_model_get_vocab(self._model))
        self._sampler = _sampler()
        self._tokens: list[int] = []
        self._place = 0
        self._sampled = False

    def start(self, prompts: list[list[int]], *, sampled: bool) -> None:
        self._sampled = sampled
        self._tokens = []
        self._place = len(prompts[0])
        for sequence, prompt in enumerate(prompts):
            last = len(prompt) - 1
            for begin in range(0, len(prompt), BATCH):
                part = list(enumerate(prompt))[begin : begin + BATCH]
                self._run([(token, n, sequence, n == last) for n, token in part])
            self._tokens.append(self._choose(len(part) - 1))

    def step(self) -> None:
        rows = [(token, self._place, n, True) for n, token in enumerate(self._tokens)]
        self._run(rows)
        self._place += 1
        self._tokens = [self._choose(row) for row in range(len(rows))]

    def finish(self) -> None:
        cpp.llama_memory_clear(self._memory, False)  # noqa: FBT003 - the binding knows no names

    def _run(self, rows: list[tuple[int, int, int, bool]]) -> None:
        batch = self._batch
        batch.n_tokens = len(rows)
        for row, (token, place, sequence, has_logits) in enumerate(rows):
            batch.token[row] = token
            batch.pos[row] = place
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = sequence
            batch.logits[row] = has_logits
        assert cpp.llama_decode(self._context, batch) == 0

    def _choose(self, row: int) -> int:
        if self._sampled:
            return int(cpp.llama_sampler_sample(self._sampler, self._context, row))
        logits = cpp.llama_get_logits_ith(self._context, row)
        return int(np.ctypeslib.as_array(logits, (self._vocabulary,)).argmax())


def _sampler() -> object:
    """Return a chain of temperature 0.8 and top_p 0.95, in its own order."""
    chain = cpp.llama_sampler_chain_init(cpp.llama_sampler_chain_default_params())
    for part in (
        cpp.llama_sampler_init_top_p(0.95, 1),
        cpp.llama_sampler_init_temp(0.8),
        cpp.llama_sampler_init_dist(7),
    ):
        cpp.llama_sampler_chain_add(chain, part)
    return chain


@cpp.llama_log_callback
def _be_quiet(level: int, text: bytes, data: ctypes.c_void_p) -> None:
    """Drop what it tells of every tensor."""


if __name__ == "__main__":
    cpp.llama_log_set(_be_quiet, ctypes.c_void_p(0))
    worker.serve(candidate.measures(Llama(sys.argv[1], int(sys.argv[2]))))
