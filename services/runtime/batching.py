"""Batches the work of many callers: one owner of a bounded queue, and the loop that empties it.

The engine runs in threads of its own; everything else happens on the event loop, so nothing here
takes a lock. Which inputs go next is decided in `fair_queue`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from services.runtime import telemetry
from services.runtime.errors import InternalError, OverloadedError
from services.runtime.fair_queue import ItemT, Job, Limits, Queue, Work

log = structlog.get_logger()

ResultT = TypeVar("ResultT")

STALLED_AFTER_S = 300.0
"""A batch that runs longer than this counts as a dead engine."""


@dataclass(eq=False, slots=True)
class _Pending(Generic[ResultT]):
    """A caller that waits for the results of its job."""

    future: asyncio.Future[list[ResultT | None]]
    results: list[ResultT | None]
    missing: int
    admitted_s: float
    started: bool = False


class Batcher(Generic[ItemT, ResultT]):
    """Runs an engine over a `Queue`, batch after batch, in threads of its own."""

    def __init__(
        self,
        run: Callable[[list[ItemT]], Sequence[ResultT]],
        limits: Limits,
        *,
        model: str,
        workers: int = 1,
    ) -> None:
        """Take an engine.

        Args:
            run: Computes one result an item; called in the engine's threads.
            limits: The bounds of the queue and of a batch.
            model: The name in metrics and messages.
            workers: Batches that run at once, each in a thread; with more than one, `run` has to
                stand being called while it runs.
        """
        self._run = run
        self._model = model
        self._queue: Queue[ItemT] = Queue(limits)
        self._pending: dict[Job[ItemT], _Pending[ResultT]] = {}
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"engine-{model}")
        self._workers = workers
        self._running: dict[int, float] = {}
        """When each batch that runs was started, by its number; seconds of `perf_counter`."""
        self._number = 0
        self._tokens_per_s = 0.0

    async def submit(
        self, items: Sequence[ItemT], tokens: Sequence[int], *, key: str = ""
    ) -> list[ResultT]:
        """Return one result an item, in order, when all are computed.

        A caller that is cancelled leaves the queue at once; what runs for it is dropped.

        Args:
            items: The inputs, at least one.
            tokens: The length of each, at least 1.
            key: Whom it is for; keys share the engine fairly.

        Raises:
            OverloadedError: The queue is full.
            InternalError: The engine failed; the log says how.
        """
        total = sum(tokens)
        self.check_room(total)
        job = self._queue.add(items, tokens, key)
        future: asyncio.Future[list[ResultT | None]] = asyncio.get_running_loop().create_future()
        self._pending[job] = _Pending(future, [None] * len(items), len(items), time.perf_counter())
        telemetry.PROMPT_TOKENS.labels(self._model).inc(total)
        self._start_batches()
        try:
            return await future  # type: ignore[return-value]  # every place is filled by now
        finally:
            del self._pending[job]
            self._queue.cancel(job)
            self._show_waiting()

    def check_room(self, tokens: int = 0) -> None:
        """Refuse what the queue cannot take now.

        Args:
            tokens: The length of the request; 0 while that is not known.

        Raises:
            OverloadedError: The queue is full.
        """
        if not self._queue.can_admit(tokens):
            raise OverloadedError(
                f"The queue of the model '{self._model}' is full"
                f" ({self._queue.waiting_requests} requests,"
                f" {self._queue.waiting_tokens} tokens waiting). Try again later.",
                retry_after_s=self._seconds_of_work(),
            )

    def is_alive(self) -> bool:
        """Tell whether the engine makes progress."""
        oldest = min(self._running.values(), default=None)
        return oldest is None or time.perf_counter() - oldest < STALLED_AFTER_S

    def close(self) -> None:
        """Let the engine's threads end after the batches that they run."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start_batches(self) -> None:
        """Hand the engine batches, while a thread is free and something waits."""
        while len(self._running) < self._workers and (batch := self._queue.next_batch()):
            self._start(batch)

    def _start(self, batch: list[Work[ItemT]]) -> None:
        self._number = number = self._number + 1
        self._running[number] = time.perf_counter()
        self._measure(batch)
        loop = asyncio.get_running_loop()

        def hand_back(done: Future[Sequence[ResultT]]) -> None:
            if not loop.is_closed():  # else the process ends, and nobody waits any more
                outcome = done.exception() or done.result()
                loop.call_soon_threadsafe(self._finish, number, batch, outcome)

        self._threads.submit(self._compute, batch).add_done_callback(hand_back)

    def _compute(self, batch: list[Work[ItemT]]) -> Sequence[ResultT]:
        results = self._run([work.item for work in batch])
        assert len(results) == len(batch), "an engine returns one result an item"
        return results

    def _finish(
        self,
        number: int,
        batch: list[Work[ItemT]],
        outcome: Sequence[ResultT] | BaseException,
    ) -> None:
        """Give each caller its results and go on with the next batch."""
        elapsed_s = time.perf_counter() - self._running.pop(number)
        speed = self._workers * sum(work.tokens for work in batch) / max(elapsed_s, 1e-6)
        weight = 0.1 if self._tokens_per_s else 1.0
        self._tokens_per_s += weight * (speed - self._tokens_per_s)
        if isinstance(outcome, BaseException):
            log.error("batch failed", model=self._model, inputs=len(batch), exc_info=outcome)
        self._start_batches()
        for place, work in enumerate(batch):
            waiter = self._pending.get(work.job)
            if waiter is None or waiter.future.done():
                continue
            if isinstance(outcome, BaseException):
                waiter.future.set_exception(InternalError())
                continue
            waiter.results[work.index] = outcome[place]
            waiter.missing -= 1
            if not waiter.missing:
                waiter.future.set_result(waiter.results)

    def _seconds_of_work(self) -> float:
        """Return how long what waits will take; 0 until a first batch was measured."""
        speed = self._tokens_per_s
        return self._queue.waiting_tokens / speed if speed else 0.0

    def _measure(self, batch: list[Work[ItemT]]) -> None:
        tokens = sum(work.tokens for work in batch)
        padded = max(work.tokens for work in batch) * len(batch)
        telemetry.BATCH_ITEMS.labels(self._model).observe(len(batch))
        telemetry.BATCH_TOKENS.labels(self._model).inc(tokens)
        telemetry.PADDING_TOKENS.labels(self._model).inc(padded - tokens)
        now = time.perf_counter()
        for work in batch:
            waiter = self._pending[work.job]
            if not waiter.started:
                waiter.started = True
                telemetry.QUEUE_SECONDS.labels(self._model).observe(now - waiter.admitted_s)
        self._show_waiting()

    def _show_waiting(self) -> None:
        telemetry.WAITING.labels(self._model).set(self._queue.waiting_requests)
        telemetry.WAITING_TOKENS.labels(self._model).set(self._queue.waiting_tokens)
