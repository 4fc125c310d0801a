"""The keys and values of all slots, in memory that the graph writes itself."""

from collections.abc import Mapping

import numpy as np

from services.chat.engine.folder import Spec
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import BindingSession, Buffer, Session

_TYPES: Mapping[str, np.dtype[np.generic]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
}


def cache_type(session: Session, spec: Spec) -> np.dtype[np.generic]:
    """Return the type of keys and values.

    Raises:
        ArtifactError: The graph has no caches, or they are of a type that NumPy does not know.
    """
    past, _ = spec.caches()[0]
    kind = session.inputs.get(past, "missing")
    if kind not in _TYPES:
        raise ArtifactError(
            f"{spec.path}: the graph's input {past} is {kind}; it should be one of"
            f" {', '.join(_TYPES)}"
        )
    return _TYPES[kind]


class Cache:
    """One buffer a layer and side: (slots, kv_heads, capacity, head)."""

    def __init__(self, session: BindingSession, spec: Spec, *, slots: int, capacity: int) -> None:
        """Allocate it.

        Args:
            session: The graph, which says where its memory is and of what type.
            spec: The shapes.
            slots: How many sequences it holds.
            capacity: Tokens of each.
        """
        shape = (slots, spec.kv_heads, capacity, spec.head)
        dtype = cache_type(session, spec)
        self.capacity_tokens = capacity
        self._session = session
        self._buffers = {names: session.allocate(shape, dtype) for names in spec.caches()}

    def rows(self, first: int, count: int) -> tuple[dict[str, Buffer], dict[str, Buffer]]:
        """Return some slots as the graph's inputs and as its outputs: the same memory."""
        parts = {names: buffer.rows(first, count) for names, buffer in self._buffers.items()}
        inputs = {past: part for (past, _), part in parts.items()}
        outputs = {present: part for (_, present), part in parts.items()}
        return inputs, outputs

    def copy(self, source: int, slot: int, tokens: int) -> None:
        """Make a slot begin with the first tokens of another one."""
        for buffer in self._buffers.values():
            self._session.copy_row(buffer, source, slot, tokens)
