"""How the models of every service are, asked when somebody wants to know; knows no settings."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import grpc
import structlog
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc

log = structlog.get_logger()

MAX_AGE_S = 1.0
"""How long an answer is passed on before the services are asked again; no answer, not at all."""

CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
"""By default a channel looks after a service that was gone only every two minutes."""


class UnansweredError(Exception):
    """A service did not say how its models are."""


class Asker(Protocol):
    """Asks one service for its models."""

    async def __call__(self) -> Sequence[runtime_pb2.ServedModel]:
        """Return the models.

        Raises:
            UnansweredError: The service does not answer in time.
        """


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What one service said."""

    models: Mapping[str, runtime_pb2.ServedModel] = field(default_factory=dict)
    """By id; empty while the service does not answer."""
    answers: bool = True


class Statuses:
    """Asks all services at once, at most once a second, however many want to know."""

    def __init__(
        self, askers: Mapping[str, Asker], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._askers = askers
        self._clock = clock
        self._asked_s = -MAX_AGE_S
        self._answer: asyncio.Task[Mapping[str, ServiceStatus]] | None = None

    async def get(self) -> Mapping[str, ServiceStatus]:
        """Return the status of every service, by family."""
        if self._answer is None or (self._answer.done() and self._is_stale(self._answer.result())):
            self._asked_s = self._clock()
            self._answer = asyncio.create_task(self._ask_all())
        # A caller that goes away must not take the answer from the others.
        return await asyncio.shield(self._answer)

    def _is_stale(self, answer: Mapping[str, ServiceStatus]) -> bool:
        everybody = all(status.answers for status in answer.values())
        return not everybody or self._clock() - self._asked_s >= MAX_AGE_S

    async def _ask_all(self) -> Mapping[str, ServiceStatus]:
        answers = await asyncio.gather(*(self._ask(family) for family in self._askers))
        return dict(zip(self._askers, answers, strict=True))

    async def _ask(self, family: str) -> ServiceStatus:
        try:
            models = await self._askers[family]()
        except UnansweredError as error:
            log.warning("service does not answer", family=family, problem=str(error))
            return ServiceStatus(answers=False)
        return ServiceStatus({model.id: model for model in models})


def grpc_asker(address: str, timeout_s: float) -> Asker:
    """Return what asks the service at `host:port`, over one channel that is kept."""
    channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
    stub = runtime_pb2_grpc.RuntimeServiceStub(channel)

    async def ask() -> Sequence[runtime_pb2.ServedModel]:
        request = runtime_pb2.ListServedModelsRequest()
        try:
            response = await stub.ListServedModels(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise UnansweredError(f"{address}: {error.code().name}: {error.details()}") from None
        return response.models

    return ask
