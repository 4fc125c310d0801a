"""Runs decoders whose past grows by concatenation: one sequence at a time."""

from collections.abc import Sequence

import numpy as np
import structlog

from services.chat.engine.cache import cache_type
from services.chat.engine.feeds import LAST, USES_CACHE, Integers, check_inputs, feeds_of
from services.chat.engine.folder import Spec
from services.chat.engine.runner import Logits, Row
from services.runtime.onnx import Array, Session

_TRIAL = (0, 1, 2, 3)

log = structlog.get_logger()


class GrowingCacheRunner:
    """Runs a graph without GroupQueryAttention, as older exporters write them.

    Each run takes the whole past and returns it with the new tokens behind, so the past is copied
    at every token, and sequences of different lengths cannot share a run. Some exports mask new
    tokens as if there were no past; behind one, those read prompts token by token.
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
        self.vocabulary = self._read([0], 0, LAST).shape[1]
        self._can_read_parts = capacity >= len(_TRIAL) and self._try_parts()
        if not self._can_read_parts:
            log.warning("prompts are read token by token in part", path=str(spec.path))

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
        if start and not self._can_read_parts:
            return self._read_singly(tokens, start)[-1:]
        return self._read(tokens, start, LAST)[-1:]

    def score(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens as `prefill` does; return logits after each of them, (tokens, vocabulary)."""
        assert slot == 0
        if start == 0 or self._can_read_parts:
            logits = self._read(tokens, start, np.arange(len(tokens)))
            if len(logits) == len(tokens):
                return logits
        # Here too where the export limited the head to the last token.
        return self._read_singly(tokens, start)

    def decode(self, rows: Sequence[Row]) -> Logits:
        """Read a token into each of several slots; return logits (rows, vocabulary)."""
        (row,) = rows
        return self.prefill(row.slot, [row.token], row.start)

    def copy(self, source: int, slot: int, tokens: int) -> None:
        """Make a slot begin with the first tokens of another one."""
        raise AssertionError("there is one slot only")

    def _try_parts(self) -> bool:
        """Return whether tokens read behind others are right: some masks are made for the first."""
        whole = self._read(_TRIAL, 0, LAST)[-1]
        self._read(_TRIAL[:2], 0, LAST)
        try:
            behind = self._read(_TRIAL[2:], 2, LAST)[-1]
        except Exception:  # noqa: BLE001 - the runtime's exceptions share no base class
            return False
        return bool(np.abs(whole - behind).mean() < 0.1 * whole.std())

    def _read_singly(self, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens one after the other; return logits, (tokens, vocabulary)."""
        each = [self._read([token], start + n, LAST) for n, token in enumerate(tokens)]
        return np.concatenate(each)

    def _read(self, tokens: Sequence[int], start: int, asked: Integers) -> Logits:
        """Read tokens; return the logits that are asked for, or all, (n, vocabulary)."""
        end = start + len(tokens)
        assert end <= self._capacity_tokens
        ids, places = np.array([tokens], np.int64), np.arange(start, end)[None]
        feeds = feeds_of(self._session, self._spec, ids, places, asked)
        for name, past in self._past.items():
            feeds[name] = np.ascontiguousarray(past[:, :, :start])
        if USES_CACHE in self._session.inputs:
            feeds[USES_CACHE] = np.array([start > 0])
        logits, *present = self._session.run(self._outputs, feeds)
        self._past = dict(zip(self._past, present, strict=True))
        chosen: Logits = logits[0].astype(np.float32, copy=False)
        return chosen
