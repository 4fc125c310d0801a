"""The embeddings service in this process: real server, real channel, tiny models."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.api.httpbody_pb2 import HttpBody
from grpc_health.v1 import health_pb2, health_pb2_grpc
from switchboard.embeddings.v1 import embeddings_pb2 as wire
from switchboard.embeddings.v1 import embeddings_pb2_grpc
from switchboard.runtime.v1 import runtime_pb2_grpc

from services.embeddings.__main__ import _doors
from services.embeddings.config import EmbeddingsModelSettings, EmbeddingsSettings
from services.embeddings.engine.tokens import Prompts, Tokens
from services.embeddings.models import EmbeddingModel, Models, estimate_bytes, load_model
from services.runtime.batching import Batcher
from services.runtime.config import GatewaySettings, Settings
from services.runtime.fair_queue import Limits
from services.runtime.inspection import inspection_door
from services.runtime.loading import Loader
from services.runtime.registry import Description
from services.runtime.server import Server, create_server
from tests.models.encoder import tokenizer

PATIENCE_S = 20.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
TYPED = "switchboard.embeddings.v1.EmbeddingsService"
REST = "switchboard.embeddings.v1.EmbeddingsRest"

Load = Callable[[EmbeddingsModelSettings], Any]


@dataclass(frozen=True)
class Answer:
    """What the REST door answered."""

    parts: list[HttpBody]
    initial: dict[str, str]
    trailing: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(b"".join(part.data for part in self.parts))
        return body

    @property
    def metadata(self) -> dict[str, str]:
        return {**self.initial, **self.trailing}

    @property
    def vectors(self) -> np.ndarray[Any, Any]:
        rows = [item["embedding"] for item in self.body["data"]]
        if isinstance(rows[0], str):
            rows = [np.frombuffer(base64.b64decode(row), "<f4") for row in rows]
        return np.array(rows, np.float32)


@dataclass
class Running:
    """A server with a channel to it."""

    server: Server
    models: Models
    channel: grpc.aio.Channel
    section: EmbeddingsSettings
    load_models: Callable[[], Awaitable[None]]
    typed: Any = field(init=False)
    rest: Any = field(init=False)
    runtime: Any = field(init=False)

    def __post_init__(self) -> None:
        self.typed = embeddings_pb2_grpc.EmbeddingsServiceStub(self.channel)
        self.rest = embeddings_pb2_grpc.EmbeddingsRestStub(self.channel)
        self.runtime = runtime_pb2_grpc.RuntimeServiceStub(self.channel)

    async def post(self, body: object, **metadata: str) -> Answer:
        """Send a body to the REST door, as the gateway does."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        call = self.rest.CreateEmbeddings(
            HttpBody(content_type="application/json", data=data),
            metadata=_metadata(metadata),
            timeout=PATIENCE_S,
        )
        parts = [part async for part in call]
        return Answer(
            parts, dict(await call.initial_metadata()), dict(await call.trailing_metadata())
        )

    def embed(self, *texts: str, model: str = "tiny", **metadata: str) -> Any:
        """Start a call at the typed door."""
        request = wire.CreateEmbeddingsRequest(model=model, texts=wire.TextInputs(values=texts))
        return self.typed.CreateEmbeddings(
            request, metadata=_metadata(metadata), timeout=PATIENCE_S
        )

    async def health(self, name: str) -> int:
        """Return how a health name is, or fail with NOT_FOUND."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        request = health_pb2.HealthCheckRequest(service=name)
        status: int = (await stub.Check(request, timeout=PATIENCE_S)).status
        return status

    def queue(self, model: str = "tiny") -> Any:
        served = self.models.find(model).served
        assert served is not None
        return served._batcher._queue

    @property
    def calls(self) -> Any:
        return self.server._calls


@asynccontextmanager
async def serving(
    models: Sequence[EmbeddingsModelSettings],
    *,
    load: Load | None = None,
    wait: bool = True,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Serve models on a free port; those of the start are loaded unless `wait` is false."""
    section = EmbeddingsSettings(
        port=0, metrics_port=0, threads=1, models=tuple(models), **settings
    )
    mesh = Settings(embeddings=section, gateway=GatewaySettings(max_body_bytes=2**10))
    registry = Models("embeddings", section.models, mesh)
    doors = [*_doors(registry), inspection_door(registry)]
    server, port = create_server(section, doors)
    await server.start()

    loader = Loader(registry, load or partial(load_model, service=section), estimate_bytes)
    tasks: list[asyncio.Task[None]] = []

    async def on_change() -> None:
        await server.set_ready(registry.is_ready())

    async def load_models() -> None:
        tasks.append(asyncio.create_task(loader.run(on_change)))
        await until(lambda: not any(entry.place.is_starting for entry in registry.entries))
        await on_change()

    if wait:
        await load_models()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            yield Running(server, registry, channel, section, load_models)
        finally:
            await server.drain(0, 0)
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            for entry in registry.entries:
                if isinstance(entry.served, EmbeddingModel):
                    entry.served.close()


def play(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run a scenario to its end, with patience but not without end."""

    async def bounded() -> Any:
        return await asyncio.wait_for(scenario(), 2 * PATIENCE_S)

    return asyncio.run(bounded())


async def until(is_true: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.002)


async def refusal(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """Return the error that a call ends with."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call was answered")


def trailers(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    return dict(error.trailing_metadata() or ())


def openai_error(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """Return the object that the gateway would put into the body."""
    body = json.loads(trailers(error)["x-openai-error"])
    assert list(body) == ["error"]
    told: dict[str, Any] = body["error"]
    return told


def tiny(folder: Path, name: str = "tiny", **settings: Any) -> EmbeddingsModelSettings:
    return EmbeddingsModelSettings(id=name, folder=folder, provider="cpu", **settings)


class GatedEncoder:
    """An engine that answers when the test says so."""

    width = 8

    def __init__(self, memory_bytes: int = 0) -> None:
        self.memory_bytes = memory_bytes
        self.gate = threading.Event()
        self.batches: list[list[Any]] = []

    def encode(self, batch: list[Any]) -> np.ndarray[Any, Any]:
        self.batches.append(batch)
        assert self.gate.wait(PATIENCE_S)
        return np.array([[len(ids)] * self.width for ids in batch], np.float32)

    def load(self, settings: EmbeddingsModelSettings, **limits: Any) -> EmbeddingModel:
        """Return a model around this engine, as a registry's `load` does."""
        tokens = Tokens(tokenizer(), max_tokens=64, prompts=Prompts({}))
        bounds = {"waiting_requests": 100, "waiting_tokens": 10_000, **limits}
        batcher = Batcher(
            lambda batch: list(self.encode(batch)),
            Limits(batch_tokens=8, max_padding=0.0, **bounds),
            model=settings.id,
        )
        description = Description(
            provider="cpu", created=0, dimensions=self.width, memory_bytes=self.memory_bytes
        )
        return EmbeddingModel(tokens, batcher, settings.id, description)


def _metadata(named: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.replace("_", "-"), value) for name, value in named.items())
