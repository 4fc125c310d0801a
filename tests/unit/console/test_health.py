"""Probes of things that are there, and of things that are not."""

import asyncio
from collections.abc import Callable
from http.server import HTTPServer
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from console.health import GrpcProbe, HttpProbe

Gateway = Callable[[dict[str, tuple[int, bytes]]], HTTPServer]


@pytest.mark.parametrize(("status", "ready"), [("SERVING", True), ("NOT_SERVING", False)])
def test_a_service_is_ready_when_it_says_so(status: str, ready: bool) -> None:
    async def ask() -> bool:
        server = grpc.aio.server()
        servicer: Any = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        await servicer.set("readiness", health_pb2.HealthCheckResponse.ServingStatus.Value(status))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        answer = await GrpcProbe(f"127.0.0.1:{port}")()
        await server.stop(None)
        return answer

    assert asyncio.run(ask()) is ready


def test_a_service_that_is_not_there_is_not_ready() -> None:
    async def ask() -> bool:
        return await GrpcProbe("127.0.0.1:1")()

    assert not asyncio.run(ask())


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_the_gateway_is_ready_when_it_answers_200(
    gateway: Gateway,
    status: int,
    ready: bool,
) -> None:
    port = gateway({"/healthz": (status, b"")}).server_port

    assert asyncio.run(HttpProbe("127.0.0.1", port, "/healthz")()) is ready


def test_a_gateway_that_is_not_there_is_not_ready() -> None:
    assert not asyncio.run(HttpProbe("127.0.0.1", 1, "/healthz")())
