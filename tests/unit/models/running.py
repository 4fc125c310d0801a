"""Runs exported encoders in tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray


def run(
    model: onnx.ModelProto, texts: Sequence[Sequence[int]], filler: int = 0
) -> list[NDArray[np.float32]]:
    """One batch of token ids, padded on the right with `filler`: (tokens, width) per text."""
    longest = max(map(len, texts))
    ids = np.full((len(texts), longest), filler, np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (states,) = session.run(["last_hidden_state"], feeds)
    return [states[row, : len(text)] for row, text in enumerate(texts)]


def cosines(left: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.float64]:
    """Row by row, in float64."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    products: NDArray[np.float64] = (a * b).sum(axis=-1)
    ratios: NDArray[np.float64] = products / lengths
    return ratios
