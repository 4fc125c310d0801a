"""Probes: asks a gRPC service or the gateway whether it is ready."""

import asyncio
import http.client
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 1.0
READINESS = "readiness"
"""The health name under which a service says that it takes calls."""


@dataclass(frozen=True, slots=True)
class GrpcProbe:
    """Asks grpc.health.v1."""

    address: str
    """`host:port`."""

    async def __call__(self) -> bool:
        """Whether the service is there and says that it takes calls."""
        # A channel of its own each time: a kept one would wait longer and longer between its tries.
        options = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
        async with grpc.aio.insecure_channel(self.address, options) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service=READINESS)
            try:
                answer = await health.Check(request, timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Asks for a path that answers 200 when all is well."""

    host: str
    port: int
    path: str

    async def __call__(self) -> bool:
        """Whether the answer is 200."""
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
