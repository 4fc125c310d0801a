"""Runs decoders that write keys and values in place: many sequences at once."""

from collections.abc import Sequence

import numpy as np

from services.chat.engine.cache import Cache
from services.chat.engine.feeds import Integers, check_inputs, feeds_of
from services.chat.engine.folder import Spec
from services.chat.engine.runner import Logits, Row
from services.runtime.onnx import BindingSession, BoundRun


class SharedCacheRunner:
    """Runs a graph that writes keys and values in place.

    A prompt is read into the rows of its slot with a batch of one: its memory is bound, nothing is
    copied. A step of all sequences binds the rows from the first slot in use to the last one.
    Rows between them that nobody uses are computed too: each writes behind the tokens that it
    keeps, where nothing is, and its logits are dropped. Lengths differ between rows; the mask is
    padded on the right, and GroupQueryAttention takes its lengths from the sums of the mask's rows.

    Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
    (com.microsoft.GroupQueryAttention)
    """

    def __init__(self, session: BindingSession, spec: Spec, *, slots: int, capacity: int) -> None:
        """Take a loaded graph and try it.

        Raises:
            ArtifactError: The graph has an input that nobody can fill, or gives other logits.
        """
        self._session = session
        self._spec = spec
        self._cache = Cache(session, spec, slots=slots, capacity=capacity)
        self._lengths = np.zeros(slots, np.int64)
        self._bound: dict[tuple[int, int], BoundRun] = {}
        check_inputs(session, spec)
        self.vocabulary = self.prefill(0, [0], 0).shape[1]
        self._lengths[0] = 0

    @property
    def slots(self) -> int:
        """How many sequences it holds."""
        return len(self._lengths)

    @property
    def capacity_tokens(self) -> int:
        """How many tokens each of them may have."""
        return self._cache.capacity_tokens

    def prefill(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens into a slot that holds `start` already; return logits (1, vocabulary)."""
        self._lengths[slot] = start + len(tokens)
        places = np.arange(start, start + len(tokens))[None]
        return self._run(slot, np.array([tokens], np.int64), places)[[0], -1]

    def decode(self, rows: Sequence[Row]) -> Logits:
        """Read a token into each of several slots; return logits (rows, vocabulary)."""
        first, count = self._range_of(rows)
        ids = np.zeros((count, 1), np.int64)
        starts = self._lengths[first : first + count].copy()
        for row in rows:
            ids[row.slot - first] = row.token
            starts[row.slot - first] = row.start
            self._lengths[row.slot] = row.start + 1
        logits = self._run(first, ids, starts[:, None])
        return logits[[row.slot - first for row in rows], -1]

    def copy(self, source: int, slot: int, tokens: int) -> None:
        """Make a slot begin with the first tokens of another one."""
        self._cache.copy(source, slot, tokens)
        self._lengths[slot] = tokens

    def _run(self, first: int, ids: Integers, places: Integers) -> Logits:
        """Run the rows from `first` on; ids and places are (rows, tokens).

        The logits, (rows, 1 or tokens, vocabulary), are gone with the next run.
        """
        lengths = places[:, -1:] + 1
        assert lengths.max() <= self.capacity_tokens
        mask = (np.arange(lengths.max()) < lengths).astype(np.int64)
        feeds = feeds_of(self._session, self._spec, ids, mask, places)
        (logits,) = self._bound_run(first, len(ids)).run(feeds)
        return logits.astype(np.float32, copy=False)

    def _bound_run(self, first: int, count: int) -> BoundRun:
        bound = self._bound.get((first, count))
        if bound is None:
            inputs, outputs = self._cache.rows(first, count)
            bound = self._session.bind(inputs, outputs, [self._spec.names.logits])
            self._bound[first, count] = bound
        return bound

    def _range_of(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Return the first slot to compute, and how many.

        The CPU computes the rows that are needed: each costs time. A device computes four in the
        time of one, and plans kernels anew for each new number of them.
        """
        first = min(row.slot for row in rows)
        count = max(row.slot for row in rows) + 1 - first
        if self._session.provider != "cpu":
            count = min(_rounded(count), self.slots)
        return min(first, self.slots - count), count


def _rounded(rows: int) -> int:
    """Return the next larger number of rows of 1, 2, 4, 8, 12, 16, and so on."""
    return next((size for size in (1, 2, 4) if rows <= size), -(-rows // 4) * 4)
