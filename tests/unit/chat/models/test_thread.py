import asyncio
import threading
import time

import pytest

from services.chat.engine.outputs import Delta, Finish
from services.chat.engine.sequence import Reason
from services.chat.models.thread import EngineThread
from services.runtime.errors import ContextLengthError, OverloadedError
from tests.unit.chat.decoding import Scripted, ask, make_engine

PATIENCE_S = 20.0


class Gated(Scripted):
    """A runner that computes a step when the test says so."""

    def __init__(self, **shape):
        super().__init__(**shape)
        self.steps = threading.Semaphore(0)
        self.fails = False

    def decode(self, rows):
        assert self.steps.acquire(timeout=PATIENCE_S)
        if self.fails:
            raise RuntimeError("the device is gone")
        return super().decode(rows)


def play(scenario, runner=None, *, waiting=8, eos=(), **engine):
    """Run a scenario with an engine thread around a scripted runner."""
    runner = runner or Scripted()
    engine = make_engine(runner, eos=eos, **engine)
    thread = EngineThread(engine, name="tiny", slots=runner.slots, waiting_requests=waiting)

    async def bounded():
        return await asyncio.wait_for(scenario(thread), PATIENCE_S)

    try:
        return asyncio.run(bounded())
    finally:
        thread.close()


async def read(mailbox):
    """Return everything that a mailbox gets, up to the last end."""
    outputs = []
    while sum(isinstance(output, Finish) for output in outputs) < mailbox.answers:
        outputs += await mailbox.take()
    return outputs


async def until(is_true):
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.002)


def tokens(outputs):
    return [output.token for output in outputs if isinstance(output, Delta)]


def test_a_caller_gets_what_the_engine_tells_in_its_order():
    async def scenario(thread):
        with thread.ask([ask([7, 8, 9], max_tokens=5)]) as mailbox:
            return await read(mailbox)

    outputs = play(scenario)

    assert tokens(outputs) == [10, 11, 12, 13, 14]
    assert outputs[-1].reason is Reason.LENGTH


def test_many_callers_are_served_at_once_and_none_gets_what_is_not_his():
    async def one(thread, first):
        with thread.ask([ask([first], max_tokens=20)]) as mailbox:
            return tokens(await read(mailbox))

    async def scenario(thread):
        return await asyncio.gather(*(one(thread, first) for first in range(12)))

    answers = play(scenario, waiting=20)

    assert answers == [list(range(first + 1, first + 21)) for first in range(12)]


def test_several_requests_share_a_mailbox_and_their_answers_are_numbered():
    async def scenario(thread):
        requests = [ask([5], max_tokens=2, choices=2), ask([50], max_tokens=2)]
        with thread.ask(requests) as mailbox:
            outputs = await read(mailbox)
            return [
                (mailbox.first_choice_of(output.job) + output.choice, output.token)
                for output in outputs
                if isinstance(output, Delta)
            ]

    told = play(scenario)

    assert sorted(told) == [(0, 6), (0, 7), (1, 6), (1, 7), (2, 51), (2, 52)]


def test_a_slow_caller_finds_everything_at_once():
    async def scenario(thread):
        with thread.ask([ask([1], max_tokens=30)]) as mailbox:
            await until(lambda: mailbox.jobs and not thread._mailboxes)
            return await mailbox.take()

    outputs = play(scenario)

    assert len(outputs) == 31
    assert isinstance(outputs[-1], Finish)


def test_a_caller_who_leaves_frees_the_slot_at_the_next_step():
    runner = Gated(slots=1)

    async def scenario(thread):
        with thread.ask([ask([0, 1], max_tokens=50)]) as mailbox:
            await mailbox.take()
        assert thread.answers == 0
        runner.steps.release()  # the step that was running
        await until(lambda: thread._engine.is_idle)
        with thread.ask([ask([5, 6], max_tokens=1)]) as mailbox:
            return await read(mailbox)

    outputs = play(scenario, runner)

    assert tokens(outputs) == [7]


def test_a_request_that_the_engine_refuses_is_an_error_of_its_caller_only():
    async def scenario(thread):
        with thread.ask([ask([1], max_tokens=3)]) as good, thread.ask([ask([1] * 96)]) as bad:
            with pytest.raises(ContextLengthError):
                await bad.take()
            return await read(good)

    assert tokens(play(scenario)) == [2, 3, 4]


def test_a_full_queue_says_when_to_come_back():
    runner = Gated(slots=2)

    async def scenario(thread):
        with thread.ask([ask([1])]), thread.ask([ask([2])]), thread.ask([ask([3])]):
            with pytest.raises(OverloadedError) as refused:
                thread.check_room()
            runner.steps.release(100)
        thread.check_room()
        return refused.value

    error = play(scenario, runner, waiting=1)

    assert error.retry_after_s >= 1
    assert "'tiny' is full (3 answers running or waiting)" in str(error)


def test_an_idle_engine_takes_one_request_of_more_answers_than_may_wait():
    async def scenario(thread):
        with thread.ask([ask([1], choices=9, max_tokens=1)]) as mailbox:
            return await read(mailbox)

    assert tokens(play(scenario, Scripted(slots=2), waiting=1)) == [2] * 9


def test_a_step_that_fails_ends_all_answers_and_the_next_request_is_served():
    runner = Gated(slots=2)

    async def scenario(thread):
        runner.fails = True
        runner.steps.release(2)
        with thread.ask([ask([1])]) as one, thread.ask([ask([2])]) as other:
            ends = [(await read(mailbox))[-1] for mailbox in (one, other)]
        runner.fails = False
        runner.steps.release(100)
        with thread.ask([ask([1], max_tokens=3)]) as mailbox:
            return ends, await read(mailbox)

    ends, outputs = play(scenario, runner)

    assert [end.reason for end in ends] == [Reason.FAILED] * 2
    assert tokens(outputs) == [2, 3, 4]


def test_whoever_waits_when_the_thread_is_closed_is_told():
    runner = Gated(slots=1)

    async def scenario(thread):
        with thread.ask([ask([0, 1])]) as running, thread.ask([ask([0, 2])]) as waiting:
            await running.take()
            closing = asyncio.create_task(asyncio.to_thread(thread.close))
            await until(lambda: thread._is_closed)
            runner.steps.release(100)
            ends = (await read(running))[-1], (await read(waiting))[-1]
            await closing
            return ends

    ends = play(scenario, runner)

    assert [end.reason for end in ends] == [Reason.FAILED] * 2


def test_a_step_that_does_not_end_is_a_dead_engine():
    runner = Gated(slots=1)

    async def scenario(thread):
        assert thread.is_alive()
        with thread.ask([ask([0, 1], max_tokens=3)]) as mailbox:
            await mailbox.take()
            await until(lambda: thread._step_began_s is not None)
            thread._step_began_s -= 1000
            assert not thread.is_alive()
            runner.steps.release(100)
            await read(mailbox)
        await until(thread.is_alive)

    play(scenario, runner)
