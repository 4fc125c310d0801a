import asyncio

import pytest

from services.chat.engine.outputs import Delta, Finish, Usage
from services.chat.engine.sequence import Job, Reason
from services.chat.models.mailbox import Mailbox
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.decoding import ask

PATIENCE_S = 20.0


def play(scenario, *requests):
    """Run a scenario with the mailbox of some requests."""

    async def bounded():
        mailbox = Mailbox(requests or [ask([1])])
        for request in mailbox.requests:
            mailbox.enter(Job(request))
        return await asyncio.wait_for(scenario(mailbox), PATIENCE_S)

    return asyncio.run(bounded())


def delta(mailbox, token=7):
    return Delta(mailbox.jobs[0], 0, token, "a")


def test_everything_that_is_there_is_taken_at_once_and_in_order():
    async def scenario(mailbox):
        for token in range(5):
            mailbox.put(delta(mailbox, token))
        mailbox.put(Finish(mailbox.jobs[0], 0, Reason.STOP, "", Usage(1, 0, 5)))
        return await mailbox.take()

    *deltas, finish = play(scenario)

    assert [each.token for each in deltas] == [0, 1, 2, 3, 4]
    assert isinstance(finish, Finish)


def test_a_caller_who_waits_is_woken():
    async def scenario(mailbox):
        taking = asyncio.create_task(mailbox.take())
        await asyncio.sleep(0)
        mailbox.put(delta(mailbox))
        assert not taking.done()
        mailbox.wake()
        return await taking

    (output,) = play(scenario)

    assert output.token == 7


def test_one_call_is_enough_until_the_caller_has_looked():
    async def scenario(mailbox):
        told = [mailbox.put(delta(mailbox)) for _ in range(3)]
        await mailbox.take()
        return told, mailbox.put(delta(mailbox))

    assert play(scenario) == ([True, False, False], True)


def test_a_wake_for_what_was_taken_already_does_no_harm():
    async def scenario(mailbox):
        mailbox.put(delta(mailbox))
        await mailbox.take()
        mailbox.wake()
        taking = asyncio.create_task(mailbox.take())
        await asyncio.sleep(0)
        mailbox.wake()
        await asyncio.sleep(0)
        assert not taking.done()
        mailbox.put(delta(mailbox, 9))
        mailbox.wake()
        return await taking

    (output,) = play(scenario)

    assert output.token == 9


def test_a_wait_that_is_cut_short_loses_nothing():
    async def scenario(mailbox):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await mailbox.take()
        mailbox.put(delta(mailbox))
        mailbox.wake()
        return await mailbox.take()

    assert len(play(scenario)) == 1


def test_an_error_is_raised_where_an_output_would_come():
    async def scenario(mailbox):
        mailbox.put(InvalidRequestError("No.", param="messages"))
        with pytest.raises(InvalidRequestError, match="No"):
            await mailbox.take()

    play(scenario)


def test_the_answers_of_several_requests_are_numbered_in_their_order():
    requests = [ask([1], choices=3), ask([2]), ask([3], choices=2)]

    async def scenario(mailbox):
        return mailbox.answers, [mailbox.first_choice_of(job) for job in mailbox.jobs]

    assert play(scenario, *requests) == (6, [0, 3, 4])


def test_outputs_from_another_thread_all_arrive():
    async def scenario(mailbox):
        loop = asyncio.get_running_loop()

        def deliver():
            for token in range(2000):
                if mailbox.put(delta(mailbox, token)):
                    loop.call_soon_threadsafe(mailbox.wake)

        delivering = asyncio.create_task(asyncio.to_thread(deliver))
        tokens = []
        while len(tokens) < 2000:
            tokens += [output.token for output in await mailbox.take()]
        await delivering
        return tokens

    assert play(scenario) == list(range(2000))
