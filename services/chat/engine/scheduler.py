"""Who goes next. Pure policy: it knows tokens, slots and callers, no arrays and no clock.

A step is a chunk of prompts, or one more token of every answer. Where both wait they take turns,
so that a long prompt holds up nobody for longer than one chunk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.chat.engine.sequence import Job, Reason, Sequence
from services.chat.engine.slots import Place, Slots


@dataclass(frozen=True, slots=True)
class Part:
    """The next tokens of one prompt."""

    sequence: Sequence
    tokens: int


@dataclass(frozen=True, slots=True)
class Prefill:
    """Parts of prompts, together no longer than a chunk."""

    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Decode:
    """One token of each sequence."""

    sequences: list[Sequence]


@dataclass(slots=True)
class _Lane:
    """The sequences of one key."""

    served_tokens: float
    waiting: dict[Sequence, None] = field(default_factory=dict)
    running: dict[Sequence, None] = field(default_factory=dict)


class Scheduler:
    """Sequences that wait, fair between keys, and sequences that run, each in a slot.

    Slots and chunks go to the key that has had the least; within a key sequences wait in their
    order, and prompts take turns.

    Source: Yu et al. 2022, "Orca" (iteration-level scheduling); Agrawal et al. 2023, "Sarathi"
    (chunked prefills); Goyal, Vin, Cheng 1996, "Start-time Fair Queuing" (newcomers start at the
    present).
    """

    def __init__(self, slots: Slots, *, chunk_tokens: int) -> None:
        """Take empty slots, and the most tokens of a prompt that one step reads."""
        assert chunk_tokens >= 1
        self._slots = slots
        self._chunk_tokens = chunk_tokens
        self._lanes: dict[str, _Lane] = {}
        self._fair_tokens = 0.0  # what each lane has had by now if they shared evenly
        self._step = 0
        self._was_prefill = False

    @property
    def waiting(self) -> list[Sequence]:
        """Sequences without a slot."""
        return [sequence for lane in self._lanes.values() for sequence in lane.waiting]

    @property
    def running(self) -> list[Sequence]:
        """Sequences with a slot."""
        return [sequence for lane in self._lanes.values() for sequence in lane.running]

    def add(self, job: Job) -> None:
        """Let the sequences of a job wait."""
        key = job.request.key
        lane = self._lanes.setdefault(key, _Lane(self._fair_tokens))
        lane.waiting.update(dict.fromkeys(job.sequences))

    def finish(self, sequence: Sequence, reason: Reason) -> None:
        """End a sequence, wherever it is; its slot is free and keeps its tokens."""
        assert sequence.reason is None
        sequence.reason = reason
        lane = self._lanes[sequence.job.request.key]
        if sequence.slot is not None:
            del lane.running[sequence]
            # What was computed for a failed one may be as wrong as its logits.
            self._slots.free(sequence.slot, keeps=reason is not Reason.FAILED)
            sequence.slot = None
        else:
            del lane.waiting[sequence]
        if not lane.running and not lane.waiting:
            del self._lanes[sequence.job.request.key]

    def expired(self, now_s: float) -> list[Sequence]:
        """Return the sequences whose callers stopped waiting."""
        return [
            sequence
            for sequence in (*self.waiting, *self.running)
            if (deadline_s := sequence.job.request.deadline_s) is not None and deadline_s <= now_s
        ]

    def admit(self) -> Iterator[Place]:
        """Give free slots to waiting sequences; the caller copies what a place says."""
        while self._slots.has_free() and (sequence := self._next_waiting()) is not None:
            place = self._slots.take(sequence.shared_tokens)
            sequence.slot = place.slot
            sequence.cached_tokens = sequence.computed_tokens = place.cached_tokens
            lane = self._lanes[sequence.job.request.key]
            del lane.waiting[sequence]
            lane.running[sequence] = None
            yield place

    def try_move(self) -> Place | None:
        """Give a sequence another slot if steps get narrower by it; the caller copies its rows."""
        place = self._slots.try_move()
        if place is not None:
            sequence = next(each for each in self.running if each.slot == place.source)
            sequence.slot = place.slot
        return place

    def next_step(self) -> Prefill | Decode | None:
        """Return what to compute next; None when nothing runs."""
        self._step += 1
        growing = [sequence for sequence in self.running if sequence.missing_tokens == 1]
        prompts = [sequence for sequence in self.running if sequence.missing_tokens > 1]
        if prompts and not (growing and self._was_prefill):
            self._was_prefill = True
            return Prefill(list(self._fill_chunk(sorted(prompts, key=self._turn))))
        self._was_prefill = False
        return Decode(growing) if growing else None

    def note(self, step: Prefill | Decode) -> None:
        """Note that a step was computed."""
        match step:
            case Prefill(parts):
                for part in parts:
                    self._serve(part.sequence, part.tokens)
            case Decode(sequences):
                for sequence in sequences:
                    self._serve(sequence, 1)

    def check_integrity(self) -> None:
        """Assert that the views agree; for tests."""
        assert all(lane.waiting or lane.running for lane in self._lanes.values())
        held = [sequence.slot for sequence in self.running]
        assert sorted(slot for slot in held if slot is not None) == self._slots.busy
        assert len(held) == len(self._slots.busy)
        assert all(sequence.slot is None for sequence in self.waiting)
        for sequence in (*self.waiting, *self.running):
            assert sequence.reason is None
            assert 0 <= sequence.cached_tokens <= sequence.computed_tokens
            assert sequence.computed_tokens < len(sequence.tokens) <= sequence.most_tokens
        for sequence in self.running:
            assert sequence.slot is not None
            held_tokens = self._slots.tokens_of(sequence.slot)
            assert list(held_tokens) == sequence.tokens[: sequence.computed_tokens]

    def _next_waiting(self) -> Sequence | None:
        """Return the first sequence that is ready, of the key that has had the least."""
        for lane in sorted(self._lanes.values(), key=lambda lane: lane.served_tokens):
            for sequence in lane.waiting:
                if sequence.is_ready:
                    return sequence
        return None

    def _fill_chunk(self, prompts: Iterable[Sequence]) -> Iterator[Part]:
        """Yield as much of the first prompt as a chunk holds, and others that fit in whole.

        A few tokens of a long prompt would cost nearly as much as a chunk of it: all weights are
        read for them.
        """
        room = self._chunk_tokens
        for sequence in prompts:
            if room == self._chunk_tokens or sequence.missing_tokens <= room:
                part = Part(sequence, min(sequence.missing_tokens, room))
                room -= part.tokens
                yield part

    def _turn(self, sequence: Sequence) -> tuple[float, int]:
        return self._lanes[sequence.job.request.key].served_tokens, sequence.served

    def _serve(self, sequence: Sequence, tokens: int) -> None:
        assert sequence.slot is not None
        start = sequence.computed_tokens
        self._slots.extend(sequence.slot, sequence.tokens[start : start + tokens])
        sequence.computed_tokens += tokens
        sequence.served = self._step
        self._lanes[sequence.job.request.key].served_tokens += tokens
        self._fair_tokens += tokens / len(self._lanes)
