"""Runs decoders that write keys and values in place: many sequences at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.chat.engine.cache import Cache
from services.chat.engine.device_sampling.device_logits import DeviceLogits
from services.chat.engine.feeds import LAST, Integers, check_inputs, feeds_of
from services.chat.engine.folder import Spec
from services.chat.engine.head import LOGIT_PLACES
from services.chat.engine.runner import Logits, Row, SomeLogits
from services.runtime.onnx import Array, BindingSession, BoundRun, Buffer, host_memory


@dataclass(frozen=True, slots=True)
class _Step:
    """A run of some slots side by side."""

    first: int
    count: int
    feeds: Mapping[str, Array]
    logits_per_row: int


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

    kept_logits: Buffer | None = None
    """The logits of all slots where the graph runs, (slots, 1, vocabulary); None where it returns
    them."""

    def __init__(
        self,
        session: BindingSession,
        spec: Spec,
        *,
        slots: int,
        capacity: int,
        keeps_logits: bool = False,
    ) -> None:
        """Take a loaded graph and try it.

        Args:
            session: The graph.
            spec: What its folder says.
            slots: How many sequences to hold.
            capacity: Tokens of each.
            keeps_logits: Whether logits stay where the graph runs; the device may record a step
                of all sequences then.

        Raises:
            ArtifactError: The graph has an input that nobody can fill, or gives other logits.
        """
        self._session = session
        self._spec = spec
        self._cache = Cache(session, spec, slots=slots, capacity=capacity)
        self._lengths = np.zeros(slots, np.int64)
        self._records = keeps_logits and session.records
        self._bound: dict[tuple[int, int], BoundRun] = {}
        self._recorded: dict[int, BoundRun] = {}
        check_inputs(session, spec)
        logits = self._returned(self._reading(0, [0], 0, LAST))
        self._lengths[0] = 0
        self.vocabulary = logits.shape[2]
        shape = (slots, 1, self.vocabulary)
        if keeps_logits:
            self._logits = self.kept_logits = session.allocate(shape, logits.dtype)
        else:
            self._logits = host_memory(shape, logits.dtype)

    @property
    def slots(self) -> int:
        """How many sequences it holds."""
        return len(self._lengths)

    @property
    def capacity_tokens(self) -> int:
        """How many tokens each of them may have."""
        return self._cache.capacity_tokens

    def prefill(self, slot: int, tokens: Sequence[int], start: int) -> SomeLogits:
        """Read tokens into a slot that holds `start` already; return logits (1, vocabulary)."""
        step = self._reading(slot, tokens, start, LAST)
        if step.logits_per_row != 1:
            return np.array(self._returned(step)[0, -1:], np.float32)
        self._run(step)
        return self._logits_of([slot])

    def score(self, slot: int, tokens: Sequence[int], start: int) -> Logits:
        """Read tokens as `prefill` does; return logits after each of them, (tokens, vocabulary)."""
        step = self._reading(slot, tokens, start, np.arange(len(tokens)))
        logits = np.array(self._returned(step)[0], np.float32)
        if len(logits) == len(tokens):
            return logits
        # The export limited the head to the last token.
        each = [self.score(slot, [token], start + n) for n, token in enumerate(tokens)]
        return np.concatenate(each)

    def decode(self, rows: Sequence[Row]) -> SomeLogits:
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
        step = self._step(first, ids, starts[:, None])
        if self._records:
            self._run_recorded(step)
        else:
            self._run(step)
        return self._logits_of([row.slot for row in rows])

    def copy(self, source: int, slot: int, tokens: int) -> None:
        """Make a slot begin with the first tokens of another one."""
        self._cache.copy(source, slot, tokens)
        self._lengths[slot] = tokens

    def _reading(self, slot: int, tokens: Sequence[int], start: int, asked: Integers) -> _Step:
        """Return what reads tokens into a slot."""
        self._lengths[slot] = start + len(tokens)
        places = np.arange(start, start + len(tokens))[None]
        return self._step(slot, np.array([tokens], np.int64), places, asked)

    def _step(self, first: int, ids: Integers, places: Integers, asked: Integers = LAST) -> _Step:
        """Return a run of the rows from `first` on; ids and places are (rows, tokens)."""
        assert places.max() < self.capacity_tokens
        feeds = feeds_of(self._session, self._spec, ids, places, asked)
        logits_per_row = len(asked) if LOGIT_PLACES in feeds else ids.shape[1]
        return _Step(first, len(ids), feeds, logits_per_row)

    def _returned(self, step: _Step) -> Array:
        """Run; return logits, (rows, those asked for or all tokens, vocabulary).

        They are gone with the next run.
        """
        memory = self._cache.rows(step.first, step.count)
        bound = self._session.bind(*memory, [self._spec.names.logits])
        (logits,) = bound.run(step.feeds)
        return logits

    def _run(self, step: _Step) -> None:
        """Run with one token's logits of each row, which go to the rows of their slots."""
        place = step.first, step.count
        if place not in self._bound:
            self._bound[place] = self._session.bind(*self._memory_of(*place), [])
        self._bound[place].run(step.feeds)

    def _run_recorded(self, step: _Step) -> None:
        """Run as `_run` does, always with a mask of the whole capacity."""
        feeds = dict(step.feeds)
        mask = feeds[self._spec.names.attention_mask]
        room = self.capacity_tokens - mask.shape[1]
        feeds[self._spec.names.attention_mask] = np.pad(mask, ((0, 0), (0, room)))
        if step.count not in self._recorded:
            memory = self._memory_of(step.first, step.count)
            self._recorded[step.count] = self._session.record(*memory, feeds)
        self._recorded[step.count].run(feeds)

    def _memory_of(self, first: int, count: int) -> tuple[dict[str, Buffer], dict[str, Buffer]]:
        """Return inputs and outputs of some slots: their caches, and their logits."""
        inputs, outputs = self._cache.rows(first, count)
        outputs[self._spec.names.logits] = self._logits.rows(first, count)
        return inputs, outputs

    def _logits_of(self, slots: list[int]) -> SomeLogits:
        """Return the logits of slots from the last run: a copy, or where they are."""
        if self.kept_logits is not None:
            return DeviceLogits(tuple(slots))
        assert isinstance(self._logits.owner, np.ndarray)
        return self._logits.owner[slots, 0].astype(np.float32, copy=False)

    def _range_of(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Return the first slot to compute, and how many.

        The CPU computes the rows that are needed: each costs time. A device computes four in the
        time of one, and plans kernels anew for each new number of them. What it records begins with
        the first slot, so that there are few records.
        """
        first = 0 if self._records else min(row.slot for row in rows)
        count = max(row.slot for row in rows) + 1 - first
        if self._session.provider != "cpu":
            count = min(_rounded(count), self.slots)
        return min(first, self.slots - count), count


def _rounded(rows: int) -> int:
    """Return the next larger number of rows of 1, 2, 4, 8, 12, 16, and so on."""
    return next((size for size in (1, 2, 4) if rows <= size), -(-rows // 4) * 4)
