"""Which inputs of which callers go next: a bounded queue, fair between keys and between requests.

Pure policy: it knows lengths and callers, no tensors, no time and no threads.
"""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and how large a batch gets."""

    batch_tokens: int
    """Tokens of one batch, padding included; a single longer input is a batch of its own."""
    max_padding: float
    """Share of a batch that may be padding, 0 to 1."""
    waiting_requests: int
    """Requests that may have work in the queue."""
    waiting_tokens: int
    """Tokens that may wait; an empty queue takes any single request."""


@dataclass(eq=False, slots=True)
class Work(Generic[ItemT]):
    """One input of one request."""

    job: "Job[ItemT]"
    index: int
    """Its place in the request."""
    item: ItemT
    tokens: int


@dataclass(eq=False, slots=True)
class Job(Generic[ItemT]):
    """One request: its inputs that wait, longest first."""

    key: str
    """Whom it is for; keys share the engine fairly."""
    tokens: int
    """Tokens of all its inputs."""
    waiting: dict[Work[ItemT], None] = field(default_factory=dict)
    served_tokens: float = 0.0


@dataclass(slots=True)
class _Lane(Generic[ItemT]):
    """The jobs of one key."""

    served_tokens: float
    jobs: dict[Job[ItemT], None] = field(default_factory=dict)
    fair_tokens: float = 0.0
    """What each of its jobs has had by now if they shared evenly: where a newcomer starts."""


class Queue(Generic[ItemT]):
    """Which inputs wait, and which go next.

    Each batch has a lead: the longest waiting input of the job that has had the least, of the key
    that has had the least. Inputs of about its length, whoever sent them, fill the batch, so that
    it is nearly free of padding. A large request thus never holds up a small one for more than its
    share, and gets the whole engine when nobody else wants it.

    Source: Parekh, Gallager 1993, "A generalized processor sharing approach to flow control"
    (whoever joins starts at the even share of those who are there).
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: dict[str, _Lane[ItemT]] = {}
        self._by_length: dict[int, dict[Work[ItemT], None]] = {}
        self._lengths: list[int] = []  # the keys of _by_length, ascending
        self._fair_tokens = 0.0  # what each lane has had by now if they shared evenly
        self.waiting_requests = 0
        self.waiting_tokens = 0

    def can_admit(self, tokens: int) -> bool:
        """Tell whether a request of so many tokens may wait."""
        if not self.waiting_requests:
            return True
        return (
            self.waiting_requests < self._limits.waiting_requests
            and self.waiting_tokens + tokens <= self._limits.waiting_tokens
        )

    def add(self, items: Sequence[ItemT], tokens: Sequence[int], key: str) -> Job[ItemT]:
        """Put a request in the queue; `can_admit` was asked before.

        Args:
            items: Its inputs, at least one.
            tokens: The length of each, at least 1.
            key: Whom it is for.
        """
        assert items
        assert len(items) == len(tokens)
        job: Job[ItemT] = Job(key, sum(tokens))
        for index in sorted(range(len(items)), key=tokens.__getitem__, reverse=True):
            work = Work(job, index, items[index], tokens[index])
            job.waiting[work] = None
            self._bucket(work.tokens)[work] = None
        lane = self._lanes.setdefault(key, _Lane(self._fair_tokens))
        job.served_tokens = lane.fair_tokens
        lane.jobs[job] = None
        self.waiting_requests += 1
        self.waiting_tokens += job.tokens
        return job

    def cancel(self, job: Job[ItemT]) -> None:
        """Forget what still waits of a job whose caller has gone."""
        for work in list(job.waiting):
            self._take(work)

    def next_batch(self) -> list[Work[ItemT]]:
        """Take the next batch out of the queue; empty when nothing waits."""
        lead = self._lead()
        if lead is None:
            return []
        batch = [lead, *self._neighbours(lead)]
        for work in batch:
            self._charge(work)
        for work in batch:
            self._take(work)
        return batch

    def check_integrity(self) -> None:
        """Assert that the views of the queue agree; for tests."""
        jobs = [job for lane in self._lanes.values() for job in lane.jobs]
        works = {work for job in jobs for work in job.waiting}
        assert self.waiting_requests == len(jobs)
        assert self.waiting_tokens == sum(work.tokens for work in works)
        assert all(job.waiting for job in jobs), "a job without work stays in its lane"
        assert all(lane.jobs for lane in self._lanes.values()), "an empty lane stays"
        assert self._lengths == sorted(self._by_length)
        assert works == {work for bucket in self._by_length.values() for work in bucket}
        assert all(
            bucket and all(work.tokens == length for work in bucket)
            for length, bucket in self._by_length.items()
        )

    def _lead(self) -> Work[ItemT] | None:
        if not self._lanes:
            return None
        lane = min(self._lanes.values(), key=lambda lane: lane.served_tokens)
        job = min(lane.jobs, key=lambda job: job.served_tokens)
        return next(iter(job.waiting))

    def _neighbours(self, lead: Work[ItemT]) -> Iterator[Work[ItemT]]:
        """Yield what fits beside the lead, nearest lengths first, within both limits."""
        count, total, longest = 1, lead.tokens, lead.tokens
        for length in self._lengths_around(lead.tokens):
            for work in self._by_length[length]:
                if work is lead:
                    continue
                padded = max(longest, length) * (count + 1)
                if padded > self._limits.batch_tokens:
                    break
                if padded - (total + length) > self._limits.max_padding * padded:
                    break
                count, total, longest = count + 1, total + length, max(longest, length)
                yield work

    def _lengths_around(self, length: int) -> Iterator[int]:
        """Yield the lengths that wait, by their distance from `length`."""
        above = bisect.bisect_left(self._lengths, length)
        below = above - 1
        while below >= 0 or above < len(self._lengths):
            down = length - self._lengths[below] if below >= 0 else None
            up = self._lengths[above] - length if above < len(self._lengths) else None
            if down is None or (up is not None and up <= down):
                yield self._lengths[above]
                above += 1
            else:
                yield self._lengths[below]
                below -= 1

    def _charge(self, work: Work[ItemT]) -> None:
        lane = self._lanes[work.job.key]
        work.job.served_tokens += work.tokens
        lane.served_tokens += work.tokens
        lane.fair_tokens += work.tokens / len(lane.jobs)
        self._fair_tokens += work.tokens / len(self._lanes)

    def _bucket(self, length: int) -> dict[Work[ItemT], None]:
        if length not in self._by_length:
            self._by_length[length] = {}
            bisect.insort(self._lengths, length)
        return self._by_length[length]

    def _take(self, work: Work[ItemT]) -> None:
        bucket = self._by_length[work.tokens]
        del bucket[work]
        if not bucket:
            del self._by_length[work.tokens]
            self._lengths.remove(work.tokens)
        self.waiting_tokens -= work.tokens
        job = work.job
        del job.waiting[work]
        if not job.waiting:
            lane = self._lanes[job.key]
            del lane.jobs[job]
            self.waiting_requests -= 1
            if not lane.jobs:
                del self._lanes[job.key]
