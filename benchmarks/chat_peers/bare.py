"""A loop around ONNX Runtime and nothing else: what an engine on it can reach.

All answers begin and end together, their lengths are alike, and memory is bound once.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from benchmarks.chat_peers import candidate, worker

MOST_SEQUENCES = 16
MOST_TOKENS = 640
LAYERS, HEADS, WIDTH, VOCABULARY = 24, 2, 64, 151936


class Loop:
    """Greedy answers."""

    def __init__(self, folder: str, threads: int) -> None:
        self._session = _open(Path(folder), threads)
        shape = (MOST_SEQUENCES, HEADS, MOST_TOKENS, WIDTH)
        self._caches = [np.zeros(shape, np.float32) for _ in range(2 * LAYERS)]
        self._logits = np.zeros((MOST_SEQUENCES, VOCABULARY), np.float32)
        self._tokens = np.zeros((0, 1), np.int64)
        self._bindings: dict[int, ort.IOBinding] = {}
        self._place = 0

    def start(self, prompts: list[list[int]], *, sampled: bool) -> None:
        assert not sampled
        self._place = 0
        self._tokens = np.array(prompts, np.int64)
        self.step()

    def step(self) -> None:
        count, length = self._tokens.shape
        self._place += length
        binding = self._bindings.get(count) or self._bind(count)
        binding.bind_cpu_input("input_ids", self._tokens)
        binding.bind_cpu_input("attention_mask", np.ones((count, self._place), np.int64))
        self._session.run_with_iobinding(binding)
        self._tokens = self._logits[:count].argmax(axis=1)[:, None]

    def finish(self) -> None:
        """Nothing is kept."""

    def _bind(self, count: int) -> ort.IOBinding:
        binding = self._bindings[count] = self._session.io_binding()
        for place, cache in enumerate(self._caches):
            name = f"{place // 2}.{('key', 'value')[place % 2]}"
            part = (np.float32, (count, *cache.shape[1:]), cache.ctypes.data)
            binding.bind_input(f"past_key_values.{name}", "cpu", 0, *part)
            binding.bind_output(f"present.{name}", "cpu", 0, *part)
        shape = (count, 1, VOCABULARY)
        binding.bind_output("logits", "cpu", 0, np.float32, shape, self._logits.ctypes.data)
        return binding


def _open(folder: Path, threads: int) -> ort.InferenceSession:
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    _keep_last_logits(model.graph)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    weights = "session.model_external_initializers_file_folder_path"
    options.add_session_config_entry(weights, str(folder))
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers)


def _keep_last_logits(graph: onnx.GraphProto) -> None:
    """Let the head see the last token only, (batch, 1, width)."""
    head = next(node for node in graph.node if "logits" in node.output)
    last = helper.make_tensor("last", onnx.TensorProto.INT64, [1], [-1])
    gather = helper.make_node("Gather", [head.input[0], "last"], ["last_states"], axis=1)
    graph.initializer.append(last)
    head.input[0] = "last_states"
    graph.node.insert(list(graph.node).index(head), gather)
    del graph.value_info[:]


if __name__ == "__main__":
    worker.serve(candidate.measures(Loop(sys.argv[1], int(sys.argv[2]))))
