"""Token ids to vectors: pads a batch, runs the graph, pools."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.embeddings.engine.folder import Spec
from services.embeddings.engine.pooling import Floats, Lengths, normalize, pool
from services.embeddings.engine.tokens import TokenIds
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import Array, Session

_INTEGERS: dict[str, type[np.integer[Any]]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
_FEEDS = {"input_ids", "attention_mask", "token_type_ids", "position_ids"}
_POOLED = "sentence_embedding"
_STATES = ("last_hidden_state", "token_embeddings", "hidden_states")


class Encoder:
    """An encoder graph of any of the usual exports; keeps nothing between batches."""

    def __init__(self, session: Session, spec: Spec) -> None:
        """Take a loaded graph and try it.

        Raises:
            ArtifactError: The graph has an input that nobody can fill, or no output to pool.
        """
        self._session = session
        self._spec = spec
        self._types = _input_types(session)
        self._output = _output_name(session)
        self.width: int = self.encode([[spec.padding_id]]).shape[1]

    def encode(self, batch: Sequence[TokenIds]) -> Floats:
        """Return one vector a sequence.

        Args:
            batch: Non-empty id sequences, each at most `max_tokens` long.

        Returns:
            Shape (batch, width), float32, unit length where the model normalises.
        """
        lengths = np.fromiter(map(len, batch), np.int64, len(batch))
        (output,) = self._session.run([self._output], self._feeds(batch, lengths))
        values = output.astype(np.float32, copy=False)
        vectors = values if values.ndim == 2 else pool(values, lengths, self._spec.pooling)
        return normalize(vectors) if self._spec.normalize else vectors

    def _feeds(self, batch: Sequence[TokenIds], lengths: Lengths) -> dict[str, Array]:
        shape = len(batch), int(lengths.max())
        ids = np.full(shape, self._spec.padding_id, np.int64)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence)] = sequence
        places = np.arange(shape[1])
        feeds: dict[str, Array] = {"input_ids": ids}
        if "attention_mask" in self._types:
            feeds["attention_mask"] = (places < lengths[:, None]).astype(np.int64)
        if "token_type_ids" in self._types:
            feeds["token_type_ids"] = np.zeros(shape, np.int64)
        if "position_ids" in self._types:
            feeds["position_ids"] = np.broadcast_to(places, shape)
        return {
            name: np.ascontiguousarray(value, self._types[name]) for name, value in feeds.items()
        }


def _input_types(session: Session) -> dict[str, type[np.integer[Any]]]:
    """Return the integer type of each input."""
    unknown = set(session.inputs) - _FEEDS
    if unknown or "input_ids" not in session.inputs:
        raise ArtifactError(
            f"the graph's inputs are {', '.join(session.inputs)}; an encoder takes input_ids and"
            " perhaps attention_mask, token_type_ids, position_ids"
        )
    for name, kind in session.inputs.items():
        if kind not in _INTEGERS:
            raise ArtifactError(f"the graph's input {name} is a {kind}, not of integers")
    return {name: _INTEGERS[kind] for name, kind in session.inputs.items()}


def _output_name(session: Session) -> str:
    """Return the output to use: pooled vectors where the graph has them, else token states."""
    for name in (_POOLED, *_STATES):
        if name in session.outputs:
            return name
    raise ArtifactError(
        f"the graph's outputs are {', '.join(session.outputs)}; expected {_POOLED} or one of"
        f" {', '.join(_STATES)}"
    )
