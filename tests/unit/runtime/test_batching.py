"""The batching loop with an engine that tests hold in their hands."""

import asyncio
import threading
import time

import pytest
from structlog.testing import capture_logs

from services.runtime.batching import Batcher
from services.runtime.errors import InternalError, OverloadedError
from services.runtime.fair_queue import Limits

PATIENCE_S = 20.0
WIDE = Limits(batch_tokens=64, max_padding=1.0, waiting_requests=100, waiting_tokens=10_000)
SINGLE = Limits(batch_tokens=1, max_padding=0.0, waiting_requests=100, waiting_tokens=10_000)


class Engine:
    """Answers each item with its square; waits for `gate`, and fails on items of `poison`."""

    def __init__(self, poison=()):
        self.gate = threading.Event()
        self.gate.set()
        self.batches = []
        self.most_at_once = 0
        self._poison = frozenset(poison)
        self._running = 0

    def __call__(self, batch):
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        self.batches.append(list(batch))
        assert self.gate.wait(PATIENCE_S)
        self._running -= 1
        if self._poison & set(batch):
            raise ValueError("poison")
        return [item * item for item in batch]


def play(scenario, engine=None, limits=WIDE):
    """Run a scenario with a batcher and return what it returns; nothing may be left behind."""

    async def whole():
        batcher = Batcher(engine or Engine(), limits, model="test")
        try:
            result = await asyncio.wait_for(scenario(batcher), PATIENCE_S)
            await until(lambda: not batcher._running)
        finally:
            if engine is not None:
                engine.gate.set()
            batcher.close()
        batcher._queue.check_integrity()
        assert batcher._queue.waiting_requests == 0
        assert not batcher._pending
        return result

    return asyncio.run(whole())


async def until(is_true):
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.001)


def submit(batcher, items, **options):
    return batcher.submit(items, [1] * len(items), **options)


def test_every_caller_gets_its_results_in_its_order(seeded):
    requests = [[seeded.randrange(1000) for _ in range(seeded.randint(1, 30))] for _ in range(50)]

    async def scenario(batcher):
        lengths = [[item % 13 + 1 for item in items] for items in requests]
        return await asyncio.gather(
            *(
                batcher.submit(items, tokens, key=str(place % 3))
                for place, (items, tokens) in enumerate(zip(requests, lengths, strict=True))
            )
        )

    results = play(scenario, limits=Limits(64, 0.3, 100, 100_000))

    assert results == [[item * item for item in items] for items in requests]


def test_the_engine_never_runs_twice_at_once():
    engine = Engine()

    async def scenario(batcher):
        await asyncio.gather(*(submit(batcher, [n] * 5) for n in range(20)))

    play(scenario, engine, SINGLE)

    assert engine.most_at_once == 1
    assert len(engine.batches) == 100


def test_what_comes_while_a_batch_runs_shares_the_next_one():
    engine = Engine()

    async def scenario(batcher):
        engine.gate.clear()
        first = asyncio.create_task(submit(batcher, [1]))
        await until(lambda: engine.batches)
        others = [asyncio.create_task(submit(batcher, [n])) for n in (2, 3, 4)]
        await asyncio.sleep(0)
        engine.gate.set()
        return await asyncio.gather(first, *others)

    results = play(scenario, engine)

    assert results == [[1], [4], [9], [16]]
    assert engine.batches == [[1], [2, 3, 4]]


def test_a_caller_that_goes_away_frees_its_place_at_once():
    engine = Engine()

    async def scenario(batcher):
        engine.gate.clear()
        running = asyncio.create_task(submit(batcher, [1]))
        await until(lambda: engine.batches)
        gone = asyncio.create_task(submit(batcher, [2] * 50))
        stays = asyncio.create_task(submit(batcher, [3]))
        await asyncio.sleep(0)
        waiting_before = batcher._queue.waiting_tokens
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        waiting_after = batcher._queue.waiting_tokens
        engine.gate.set()
        return waiting_before, waiting_after, await asyncio.gather(running, stays)

    before, after, results = play(scenario, engine)

    assert (before, after) == (51, 1)
    assert results == [[1], [9]]
    assert engine.batches == [[1], [3]]


def test_a_caller_may_go_while_its_batch_runs():
    engine = Engine()

    async def scenario(batcher):
        engine.gate.clear()
        gone = asyncio.create_task(submit(batcher, [1, 2, 3]))
        await until(lambda: engine.batches)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        stays = asyncio.create_task(submit(batcher, [4]))
        engine.gate.set()
        return await stays

    assert play(scenario, engine) == [16]


def test_callers_that_come_and_go_at_random_leave_nothing_behind(seeded):
    async def scenario(batcher):
        tasks = []
        for _ in range(200):
            items = [seeded.randrange(100) for _ in range(seeded.randint(1, 10))]
            tokens = [seeded.randint(1, 20) for _ in items]
            task = asyncio.create_task(batcher.submit(items, tokens, key=seeded.choice("ab")))
            tasks.append((items, task))
            if seeded.random() < 0.4:
                seeded.choice(tasks)[1].cancel()
            if seeded.random() < 0.3:
                await asyncio.sleep(0.0005)
            batcher._queue.check_integrity()
        results = await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)
        return [(items, result) for (items, _), result in zip(tasks, results, strict=True)]

    outcomes = play(scenario, limits=Limits(64, 0.3, 1000, 100_000))

    answered = [(items, got) for items, got in outcomes if isinstance(got, list)]
    assert all(got == [item * item for item in items] for items, got in answered)
    assert len(answered) > 50
    assert all(
        isinstance(got, (list, asyncio.CancelledError, OverloadedError)) for _, got in outcomes
    )


def test_a_failing_batch_is_told_without_detail_and_the_next_one_runs():
    engine = Engine(poison={13})

    async def scenario(batcher):
        engine.gate.clear()
        first = asyncio.create_task(submit(batcher, [1]))
        await until(lambda: engine.batches)
        unlucky = [asyncio.create_task(submit(batcher, [n])) for n in (2, 13)]
        await asyncio.sleep(0)
        engine.gate.set()
        results = await asyncio.gather(first, *unlucky, return_exceptions=True)
        return results, await submit(batcher, [5])

    with capture_logs() as lines:
        results, after = play(scenario, engine)

    assert results[0] == [1]
    assert [type(result) for result in results[1:]] == [InternalError, InternalError]
    assert "poison" not in str(results[1])
    assert after == [25]
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["batch failed"]


def test_a_request_of_many_batches_fails_whole_when_one_of_them_does():
    engine = Engine(poison={13})

    async def scenario(batcher):
        return await asyncio.gather(submit(batcher, [13, *range(20)]), return_exceptions=True)

    (result,) = play(scenario, engine, SINGLE)

    assert isinstance(result, InternalError)
    assert len(engine.batches) <= 3


def test_an_engine_that_answers_too_little_fails_its_batch():
    async def scenario(batcher):
        return await asyncio.gather(submit(batcher, [1, 2]), return_exceptions=True)

    async def whole():
        batcher = Batcher(lambda batch: batch[:1], WIDE, model="test")
        try:
            return await asyncio.wait_for(scenario(batcher), PATIENCE_S)
        finally:
            batcher.close()

    (result,) = asyncio.run(whole())

    assert isinstance(result, InternalError)


def test_a_full_queue_says_when_to_come_again():
    engine = Engine()

    async def scenario(batcher):
        engine.gate.clear()
        running = asyncio.create_task(submit(batcher, [1]))
        await until(lambda: engine.batches)
        waiting = [asyncio.create_task(submit(batcher, [n])) for n in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as refused:
            await submit(batcher, [4])
        engine.gate.set()
        await asyncio.gather(running, *waiting)
        return refused.value, await submit(batcher, [4])

    error, after = play(scenario, engine, Limits(64, 1.0, waiting_requests=2, waiting_tokens=100))

    assert 1.0 <= error.retry_after_s <= 120.0
    assert "2 requests, 2 tokens waiting" in str(error)
    assert after == [16]


def test_before_the_first_batch_is_measured_a_full_queue_asks_for_the_shortest_wait():
    engine = Engine()

    async def scenario(batcher):
        engine.gate.clear()
        running = asyncio.create_task(submit(batcher, [1] * 90))
        await until(lambda: engine.batches)
        with pytest.raises(OverloadedError) as refused:
            await submit(batcher, [2] * 90)
        engine.gate.set()
        await running
        return refused.value.retry_after_s

    limits = Limits(64, 1.0, waiting_requests=10, waiting_tokens=100)

    assert play(scenario, engine, limits) == 1.0


def test_an_empty_queue_takes_one_request_of_any_size():
    async def scenario(batcher):
        return await submit(batcher, list(range(500)))

    results = play(scenario, limits=Limits(8, 1.0, waiting_requests=2, waiting_tokens=10))

    assert results == [n * n for n in range(500)]


def test_a_batch_that_outlasts_the_loop_ends_in_silence(caplog):
    engine = Engine()
    engine.gate.clear()

    async def scenario():
        batcher = Batcher(engine, WIDE, model="test")
        running = asyncio.create_task(submit(batcher, [1]))
        await until(lambda: engine.batches)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return batcher

    batcher = asyncio.run(scenario())
    engine.gate.set()
    batcher.close()

    assert caplog.records == []


def test_the_engine_is_alive_while_it_works_and_while_it_rests():
    engine = Engine()

    async def scenario(batcher):
        resting = batcher.is_alive()
        engine.gate.clear()
        running = asyncio.create_task(submit(batcher, [1]))
        await until(lambda: engine.batches)
        working = batcher.is_alive()
        for batch in batcher._running:
            batch.handed_s -= 1000.0
        stalled = batcher.is_alive()
        engine.gate.set()
        await running
        return resting, working, stalled, batcher.is_alive()

    assert play(scenario, engine) == (True, True, False, True)


def test_as_many_batches_run_at_once_as_there_are_workers():
    engine = Engine()
    engine.gate.clear()

    async def scenario():
        batcher = Batcher(engine, SINGLE, model="test", workers=2)
        running = asyncio.create_task(submit(batcher, [1, 2, 3]))
        await until(lambda: len(engine.batches) == 2)
        await asyncio.sleep(0.05)
        at_once = len(engine.batches)
        engine.gate.set()
        results = await asyncio.wait_for(running, PATIENCE_S)
        batcher.close()
        return at_once, results

    assert asyncio.run(scenario()) == (2, [1, 4, 9])
