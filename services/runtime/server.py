"""The gRPC server of a process: health, reflection, interceptors, and the drain after SIGTERM.

Health names: the empty name and `liveness` say that the process lives; `readiness` and the full
name of each service say that it takes calls. The drain goes: not ready, wait until the others
noticed, refuse new calls, let those in flight finish, stop.
"""

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health as health_names
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from services.runtime.config import ServiceSettings
from services.runtime.interceptors import CallInterceptor

log = structlog.get_logger()

LIVENESS_INTERVAL_S = 5.0
QUIET_S = 0.5
"""Once nobody called for so long, a drain waits no longer for others to notice it."""
STOP_S = 1.0
"""After the drain, how long connections may take to close."""
RESERVED_RPCS = 256
"""Beyond the calls that a service takes, for health checks: a busy service is a healthy one."""
MAX_HEADER_BYTES = 64 * 1024
"""Browsers send cookies along; gRPC's own limit of 8 KiB would answer them with 429."""


@dataclass(frozen=True, slots=True)
class Door:
    """A gRPC service to serve."""

    name: str
    """Full name, such as `switchboard.embeddings.v1.EmbeddingsService`."""
    register: Callable[[grpc.aio.Server], None]
    """Adds the servicer, such as `partial(add_EmbeddingsServiceServicer_to_server, servicer)`."""


class Server:
    """A bound, not yet started server; made by `create_server`."""

    def __init__(
        self, server: grpc.aio.Server, calls: CallInterceptor, doors: Sequence[Door]
    ) -> None:
        self._server = server
        self._calls = calls
        self._health = health.HealthServicer()
        self._is_leaving = False
        self._ready_names = ("readiness", *(door.name for door in doors))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for door in doors:
            door.register(server)

    async def start(self) -> None:
        """Take calls; alive from now on, ready once `set_ready(True)` was called."""
        await self.set_alive(True)
        await self.set_ready(False)
        await self._server.start()

    async def set_ready(self, ready: bool) -> None:
        """Tell the health watchers whether calls are welcome; never again once the drain began."""
        ready = ready and not self._is_leaving
        for name in self._ready_names:
            await self._health.set(name, _status(ready))

    async def set_alive(self, alive: bool) -> None:
        """Tell the health watchers whether the process still works."""
        for name in ("", "liveness"):
            await self._health.set(name, _status(alive))

    async def drain(self, delay_s: float, grace_s: float) -> None:
        """Stop without losing a call: see the order in the module's docstring.

        Args:
            delay_s: How long calls are still taken while the others notice.
            grace_s: How long calls in flight may take; after that they are cut.
        """
        self._is_leaving = True
        await self.set_ready(False)
        await self._calls.wait_until_quiet(QUIET_S, delay_s)
        self._calls.draining = True
        if not await self._calls.wait_until_idle(grace_s):
            log.warning("calls were still running after the grace period", grace_s=grace_s)
        await self._server.stop(STOP_S)


def create_server(
    settings: ServiceSettings, doors: Sequence[Door], reflected: Iterable[str] = ()
) -> tuple[Server, int]:
    """Bind a server; port 0 in the settings takes a free port.

    Args:
        settings: Address and limits.
        doors: The services.
        reflected: Further service names that reflection lists (the front desk shows all).

    Returns:
        The server and the port that it is bound to.

    Raises:
        OSError: The port is taken.
    """
    calls = CallInterceptor(settings.max_concurrent_rpcs)
    server = grpc.aio.server(
        interceptors=[calls],
        maximum_concurrent_rpcs=settings.max_concurrent_rpcs + RESERVED_RPCS,
        options=[
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", settings.max_message_bytes),
            ("grpc.max_metadata_size", MAX_HEADER_BYTES),
            ("grpc.absolute_max_metadata_size", MAX_HEADER_BYTES),
            ("grpc.so_reuseport", 0),
            # gRPC cancels calls at random once a thousand wait for the event loop; a burst of
            # callers should reach the bounded queue instead, which says when to come back.
            ("grpc.server.max_pending_requests", settings.max_concurrent_rpcs),
            ("grpc.server.max_pending_requests_hard_limit", 2 * settings.max_concurrent_rpcs),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ],
    )
    address = f"{settings.host}:{settings.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from None
    names = [*(door.name for door in doors), *reflected]
    reflection.enable_server_reflection(
        sorted({*names, reflection.SERVICE_NAME, health_names.SERVICE_NAME}), server
    )
    return Server(server, calls, doors), port


async def serve(
    server: Server,
    settings: ServiceSettings,
    *,
    is_alive: Callable[[], bool] = lambda: True,
) -> None:
    """Serve a started server until SIGTERM or SIGINT, then drain; a second signal cuts the drain.

    Args:
        server: The server, started.
        settings: The drain times.
        is_alive: Asked every few seconds; tells whether the engine still makes progress.
    """
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    watch = asyncio.create_task(_watch(server, is_alive))
    received = await signals.get()
    log.info("draining", signal=received.name, delay_s=settings.drain_delay_s)
    drain = asyncio.create_task(server.drain(settings.drain_delay_s, settings.drain_grace_s))
    again = asyncio.create_task(signals.get())
    await asyncio.wait((drain, again), return_when=asyncio.FIRST_COMPLETED)
    for task in (watch, again, drain):
        task.cancel()
    await asyncio.gather(watch, again, drain, return_exceptions=True)
    log.info("stopped")


async def _watch(server: Server, is_alive: Callable[[], bool]) -> None:
    while True:
        await asyncio.sleep(LIVENESS_INTERVAL_S)
        await server.set_alive(is_alive())


def _status(good: bool) -> Any:
    status = health_pb2.HealthCheckResponse
    return status.SERVING if good else status.NOT_SERVING
