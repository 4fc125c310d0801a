"""A graph as it is in a plain session, without an engine and without changes."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class PlainSession:
    """Reads one text in parts; each run takes the past and returns it with more behind."""

    def __init__(self, folder: Path) -> None:
        """Take a model folder of Hugging Face's layout."""
        config = json.loads((folder / "config.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self._session = onnxruntime.InferenceSession(
            folder / "onnx/model.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {value.name: value.type for value in self._session.get_inputs()}
        self._presents = [value.name for value in self._session.get_outputs()[1:]]
        self._empty = (1, config["num_key_value_heads"], 0, config["head_dim"])

    def logits(self, parts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the logits after every token of a text that comes in parts."""
        past = {
            name: np.zeros(self._empty, _TYPES[kind])
            for name, kind in self._inputs.items()
            if name.startswith("past")
        }
        logits, read = [], 0
        for part in parts:
            places = np.arange(read, read + len(part))[None]
            read += len(part)
            feeds = {
                "input_ids": np.array([part]),
                "attention_mask": np.ones((1, read), np.int64),
                "position_ids": places,
            }
            feeds = {name: value for name, value in feeds.items() if name in self._inputs}
            of_part, *present = self._session.run(["logits", *self._presents], feeds | past)
            past = dict(zip(past, present, strict=True))
            logits.append(of_part[0].astype(np.float32))
        return np.concatenate(logits)
