"""Runs decoders whose past grows by concatenation: one sequence at a time."""

from collections.abc import Sequence

import numpy as np

from services.chat.engine.cache import cache_type
from services.chat.engine.feeds import USES_CACHE, check_inputs, feeds_of
from services.chat.engine.folder import Spec
from services.chat.engine.runner import Logits, Row
from services.runtime.onnx import Array, Session


class GrowingCacheRunner:
    """Runs a graph without GroupQueryAttention, as older exporters write them.

    Each run takes the whole past and returns it with the new tokens behind, so the past is copied
    at every token, and sequences of different lengths cannot share a run.
    """

    def __init__(self, session: Session, spec: Spec, *, capacity: int) -> None:
        """Take a loaded graph and try it.

        Raises:
            ArtifactError: The graph has an input that nobody can fill, or lacks one.
        """
        check_inputs(session, spec)
        self._session = session
        self._spec = spec
        self._capacity_tokens = capacity
        empty = np.zeros((1, spec.kv_heads, 0, spec.head), cache_type(session, spec))
        self._past: dict[str, Array] = {past: empty for past, _ in spec.caches()}
        self._outputs = [spec.names.logits, *(present for _, present in spec.caches())]
        self.vocabulary = self.prefill(0, [0], 0).shape[1]

    @property
    def slots(self) -> int:
        """How many sequences it holds."""
        return 1

    @property
    def capacity_tokens(self) -> int:
        """How many tokens each of them may have."""
        return self._capacity_tokens

    def prefill(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens into a slot that holds `start` already; return logits (1, vocabulary)."""
        assert slot == 0
        end = start + len(tokens)
        assert end <= self._capacity_tokens
        ids, places = np.array([tokens], np.int64), np.arange(start, end)[None]
        feeds = feeds_of(self._session, self._spec, ids, np.ones((1, end), np.int64), places)
        for name, past in self._past.items():
            feeds[name] = np.ascontiguousarray(past[:, :, :start])
        if USES_CACHE in self._session.inputs:
            feeds[USES_CACHE] = np.array([start > 0])
        logits, *present = self._session.run(self._outputs, feeds)
        self._past = dict(zip(self._past, present, strict=True))
        return logits[:, -1].astype(np.float32, copy=False)

    def decode(self, rows: Sequence[Row]) -> Logits:
        """Read a token into each of several slots; return logits (rows, vocabulary)."""
        (row,) = rows
        return self.prefill(row.slot, [row.token], row.start)

    def copy(self, source: int, slot: int, tokens: int) -> None:
        """Make a slot begin with the first tokens of another one."""
        raise AssertionError("there is one slot only")
