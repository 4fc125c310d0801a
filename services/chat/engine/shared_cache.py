"""Runs decoders that write keys and values in place: many sequences at once."""

from collections.abc import Sequence

import numpy as np

from services.chat.engine.cache import Cache
from services.chat.engine.feeds import LAST, Integers, check_inputs, feeds_of
from services.chat.engine.folder import Spec
from services.chat.engine.head import LOGIT_PLACES
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
        return self._read(slot, tokens, start, LAST)[-1:].copy()

    def score(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens as `prefill` does; return logits after each of them, (tokens, vocabulary)."""
        logits = self._read(slot, tokens, start, np.arange(len(tokens)))
        if len(logits) == len(tokens):
            return logits.copy()
        # The export limited the head to the last token.
        each = [self.prefill(slot, [token], start + n) for n, token in enumerate(tokens)]
        return np.concatenate(each)

    def decode(self, rows: Sequence[Row]) -> Logits:
        """Read a token into each of several slots; return logits (rows, vocabulary)."""
        first, count = self._range_of(rows)
        ids = np.zeros((count, 1), np.int64)
        # A row that idles with all its room taken writes over its last token, which nobody shares:
        # the last token of a prompt is always computed, and a prompt is no longer than the room.
        starts = np.minimum(self._lengths[first : first + count], self.capacity_tokens - 1)
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

    def _read(self, slot: int, tokens: Sequence[int], start: int, asked: Integers) -> Logits:
        """Read tokens into a slot; return the logits that are asked for, or all, as `_run` does."""
        self._lengths[slot] = start + len(tokens)
        places = np.arange(start, start + len(tokens))[None]
        logits: Logits = self._run(slot, np.array([tokens], np.int64), places, asked)[0]
        return logits

    def _run(self, first: int, ids: Integers, places: Integers, asked: Integers = LAST) -> Logits:
        """Run the rows from `first` on; ids and places are (rows, tokens).

        The logits, (rows, those asked for or all tokens, vocabulary), are gone with the next run.
        """
        assert places.max() < self.capacity_tokens
        feeds = feeds_of(self._session, self._spec, ids, places, asked)
        logits_per_row = len(asked) if LOGIT_PLACES in feeds else ids.shape[1]
        (logits,) = self._bound_run(first, len(ids), logits_per_row).run(feeds)
        return logits.astype(np.float32, copy=False)

    def _bound_run(self, first: int, count: int, logits_per_row: int) -> BoundRun:
        """Return a run on some slots; it is kept where the next one will have logits alike."""
        bound = self._bound.get((first, count)) if logits_per_row == 1 else None
        if bound is None:
            inputs, outputs = self._cache.rows(first, count)
            bound = self._session.bind(inputs, outputs, [self._spec.names.logits])
            if logits_per_row == 1:
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
