"""onnxruntime-genai: its `Generator`, and its `Engine`, which lets requests come and go."""

import json
import sys
import time

import numpy as np
import onnxruntime_genai as genai

from benchmarks.chat_peers import candidate, worker

MOST_SEQUENCES = 16
MOST_TOKENS = 640


class Generator:
    """One batch of prompts of like lengths; nothing can join it."""

    def __init__(self, model: genai.Model) -> None:
        self._model = model
        self._generator: genai.Generator | None = None

    def start(self, prompts: list[list[int]], *, sampled: bool) -> None:
        options = genai.GeneratorParams(self._model)
        how = {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "top_k": 0} if sampled else {}
        length = max(len(prompts[0]) + 8, MOST_TOKENS)
        options.set_search_options(
            batch_size=len(prompts), max_length=length, min_length=length, random_seed=7, **how
        )
        self._generator = genai.Generator(self._model, options)
        self._generator.append_tokens(prompts)
        self.step()

    def step(self) -> None:
        assert self._generator is not None
        self._generator.generate_next_token()

    def finish(self) -> None:
        self._generator = None


class Engine:
    """Requests that are batched as they come: on the CPU four at a time, the others wait."""

    def __init__(self, model: genai.Model) -> None:
        self._engine = genai.Engine(model)
        self._events = self._engine.create_event_buffer(4 * MOST_SEQUENCES)

    def answers_tokens_s(self, sequences: int, prompt_tokens: int, tokens: int) -> float:
        """Return how many tokens a second whole answers take, their prompts read in that time."""
        start = time.perf_counter()
        requests = [
            self._begin(prompt, tokens)
            for prompt in candidate.random_prompts(sequences, prompt_tokens)
        ]
        while self._engine.has_pending_requests():
            self._engine.run(self._events)
        elapsed_s = time.perf_counter() - start
        for request in requests:
            request.close()
        return sequences * tokens / elapsed_s

    def _begin(self, prompt: list[int], tokens: int) -> genai.Request:
        request = self._engine.create_request()
        options = genai.TurnOptions(request)
        options.set_min_generated_tokens(tokens)
        options.set_max_generated_tokens(tokens)
        request.begin_turn(np.array(prompt, np.int32), options)
        return request


def open_model(folder: str, threads: int) -> genai.Model:
    """Open a model folder."""
    config = genai.Config(folder)
    session = {"intra_op_num_threads": threads}
    engine = {"static_batching": {"max_batch_size": MOST_SEQUENCES}}
    config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
    config.overlay(json.dumps({"engine": engine}))
    return genai.Model(config)


if __name__ == "__main__":
    opened = open_model(sys.argv[1], int(sys.argv[2]))
    if sys.argv[3] == "generator":
        worker.serve(candidate.measures(Generator(opened)))
    else:
        worker.serve({"answers_tokens_s": Engine(opened).answers_tokens_s})
