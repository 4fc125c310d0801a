"""Batches the work of many callers: one owner of a bounded queue, and the loop that empties it.

The engine runs in threads of its own; everything else happens on the event loop, so nothing here
takes a lock. Which inputs go next is decided in `fair_queue`.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
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


@dataclass(eq=False, slots=True)
class _Batch(Generic[ItemT]):
    """Inputs on their way through the engine."""

    works: list[Work[ItemT]]
    loop: asyncio.AbstractEventLoop
    """Where their callers wait."""
    handed_s: float
    """When it was handed to the threads; seconds of `perf_counter`."""


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
        self._meters = telemetry.BatchMeters.of(model)
        self._running: set[_Batch[ItemT]] = set()
        self._ready: SimpleQueue[_Batch[ItemT] | None] = SimpleQueue()
        self._tokens_per_s = 0.0
        names = [f"engine-{model}-{number}" for number in range(workers)]
        self._threads = [
            threading.Thread(target=self._serve, name=name, daemon=True) for name in names
        ]
        for thread in self._threads:
            thread.start()

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
        self._meters.prompt_tokens.inc(total)
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
        now = time.perf_counter()
        return all(now - batch.handed_s < STALLED_AFTER_S for batch in self._running)

    def close(self) -> None:
        """Let the engine's threads end after the batches that they have, and wait for them."""
        for _ in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join()

    def _start_batches(self) -> None:
        """Hand the engine's threads batches, while one is free and something waits."""
        while len(self._running) < len(self._threads) and (works := self._queue.next_batch()):
            self._measure(works)
            batch = _Batch(works, asyncio.get_running_loop(), time.perf_counter())
            self._running.add(batch)
            self._ready.put(batch)

    def _serve(self) -> None:
        """Run batches until told to end: what each of the engine's threads does."""
        while batch := self._ready.get():
            started_s = time.perf_counter()
            outcome: Sequence[ResultT] | Exception
            try:
                outcome = self._run([work.item for work in batch.works])
                assert len(outcome) == len(batch.works), "an engine returns one result an item"
            except Exception as error:  # noqa: BLE001 - told to the callers and logged by the loop
                outcome = error
            elapsed_s = time.perf_counter() - started_s
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                batch.loop.call_soon_threadsafe(self._finish, batch, outcome, elapsed_s)

    def _finish(
        self, batch: "_Batch[ItemT]", outcome: Sequence[ResultT] | Exception, elapsed_s: float
    ) -> None:
        """Give each caller its results and go on with the next batch."""
        self._running.remove(batch)
        self._start_batches()
        works = batch.works
        speed = len(self._threads) * sum(work.tokens for work in works) / max(elapsed_s, 1e-6)
        weight = 0.1 if self._tokens_per_s else 1.0
        self._tokens_per_s += weight * (speed - self._tokens_per_s)
        if isinstance(outcome, Exception):
            log.error("batch failed", model=self._model, inputs=len(works), exc_info=outcome)
        for place, work in enumerate(works):
            waiter = self._pending.get(work.job)
            if waiter is None or waiter.future.done():
                continue
            if isinstance(outcome, Exception):
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
        self._meters.batch_items.observe(len(batch))
        self._meters.batch_tokens.inc(tokens)
        self._meters.padding_tokens.inc(padded - tokens)
        now = time.perf_counter()
        for work in batch:
            waiter = self._pending[work.job]
            if not waiter.started:
                waiter.started = True
                self._meters.queue_seconds.observe(now - waiter.admitted_s)
        self._show_waiting()

    def _show_waiting(self) -> None:
        self._meters.waiting.set(self._queue.waiting_requests)
        self._meters.waiting_tokens.set(self._queue.waiting_tokens)
