import asyncio
from collections.abc import Sequence

import pytest
from switchboard.runtime.v1 import runtime_pb2

from gateway.frontdesk.statuses import Statuses, UnansweredError, grpc_asker


class FakeService:
    """Answers with one model; counts how often it is asked."""

    def __init__(self, *, answers: bool = True) -> None:
        self.asked = 0
        self.answers = answers

    async def __call__(self) -> Sequence[runtime_pb2.ServedModel]:
        self.asked += 1
        await asyncio.sleep(0.01)
        if not self.answers:
            raise UnansweredError("gone")
        return [runtime_pb2.ServedModel(id="m", state="ready")]


class FakeClock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_many_callers_at_once_ask_once() -> None:
    service = FakeService()
    statuses = Statuses({"embeddings": service})

    async def ask_together() -> None:
        await asyncio.gather(*(statuses.get() for _ in range(50)))

    asyncio.run(ask_together())

    assert service.asked == 1


def test_an_answer_is_passed_on_for_a_second() -> None:
    service, clock = FakeService(), FakeClock()
    statuses = Statuses({"embeddings": service}, clock)

    async def ask_at(*times_s: float) -> None:
        for clock.now_s in times_s:
            await statuses.get()

    asyncio.run(ask_at(0.0, 0.5, 0.99))
    assert service.asked == 1
    asyncio.run(ask_at(1.0, 1.5))
    assert service.asked == 2


def test_a_service_that_is_gone_does_not_hide_the_others() -> None:
    statuses = Statuses({"chat": FakeService(answers=False), "embeddings": FakeService()})

    told = asyncio.run(_get(statuses))

    assert (told["chat"].answers, dict(told["chat"].models)) == (False, {})
    assert told["embeddings"].models["m"].state == "ready"


def test_a_caller_that_goes_away_does_not_take_the_answer_along() -> None:
    statuses = Statuses({"embeddings": FakeService()})

    async def one_leaves() -> bool:
        leaving, staying = asyncio.create_task(statuses.get()), asyncio.create_task(statuses.get())
        await asyncio.sleep(0)
        leaving.cancel()
        return "m" in (await staying)["embeddings"].models

    assert asyncio.run(one_leaves())


def test_a_port_where_nobody_listens_does_not_answer() -> None:
    async def ask() -> None:
        await grpc_asker("127.0.0.1:1", timeout_s=0.3)()

    with pytest.raises(UnansweredError, match=r"127\.0\.0\.1:1: (UNAVAILABLE|DEADLINE_EXCEEDED)"):
        asyncio.run(ask())


async def _get(statuses: Statuses) -> object:
    return await statuses.get()
