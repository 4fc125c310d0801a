"""The embeddings service as a process of its own."""

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.harness import PATIENCE_S, SERVING

ROOT = Path(__file__).parents[2]
START = (sys.executable, "-m", "services.embeddings")


def environment(settings, **variables):
    inherited = dict(os.environ)  # noqa: TID251 - for PATH and the like
    return {**inherited, "SWITCHBOARD_CONFIG": str(settings), **variables}


@asynccontextmanager
async def process(settings, port):
    """Start the service; yield it with a channel once it is ready, and leave nothing behind."""
    running = await asyncio.create_subprocess_exec(
        *START, cwd=ROOT, env=environment(settings), stdout=asyncio.subprocess.PIPE
    )
    options = [("grpc.max_reconnect_backoff_ms", 100), ("grpc.initial_reconnect_backoff_ms", 50)]
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            await until_ready(channel)
            yield running, channel
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def until_ready(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="readiness")
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            if (await stub.Check(request, timeout=1.0)).status == SERVING:
                return
        except grpc.aio.AioRpcError:
            pass
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.05)
