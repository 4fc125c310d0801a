"""Services of a few lines, which do what the request says."""

# ruff: noqa: N802 - RPC methods carry their names in the proto

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from switchboard.embeddings.v1 import embeddings_pb2, embeddings_pb2_grpc
from switchboard.frontdesk.v1 import frontdesk_pb2, frontdesk_pb2_grpc
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc

LIMIT_S = 10.0
REST = "switchboard.embeddings.v1.EmbeddingsRest"
DESK = "switchboard.frontdesk.v1.DirectoryService"

ERROR = {
    "error": {
        "message": "'input' is empty: “é”.",
        "type": "invalid_request_error",
        "param": "input",
        "code": "invalid_value",
    }
}
TRAILERS = (("x-openai-error", json.dumps(ERROR)), ("retry-after", "3"))


def _json(value: object) -> HttpBody:
    return HttpBody(content_type="application/json", data=json.dumps(value).encode())


class FakeRest(embeddings_pb2_grpc.EmbeddingsRestServicer):
    """Does what the body's `do` says; without one it tells how large the body was."""

    async def CreateEmbeddings(self, request: HttpBody, context: Any) -> AsyncIterator[HttpBody]:
        order = json.loads(request.data) if request.data.startswith(b"{") else {}
        async for part in getattr(self, order.get("do", "measure"))(request, context, order):
            yield part

    async def measure(self, request: HttpBody, context: Any, order: Any) -> AsyncIterator[HttpBody]:
        context.set_trailing_metadata((("x-switchboard-usage", '{"input_tokens": 3}'),))
        await context.send_initial_metadata((("openai-processing-ms", "5"),))
        yield _json({"bytes": len(request.data), "content_type": request.content_type})

    async def metadata(
        self, request: HttpBody, context: Any, order: Any
    ) -> AsyncIterator[HttpBody]:
        yield _json({key: value for key, value in context.invocation_metadata() if value})

    async def repeat(self, request: HttpBody, context: Any, order: Any) -> AsyncIterator[HttpBody]:
        for _ in range(order["times"]):
            yield HttpBody(content_type=order["type"], data=order["data"].encode())
            await asyncio.sleep(order.get("pause_s", 0))

    async def wait(self, request: HttpBody, context: Any, order: Any) -> AsyncIterator[HttpBody]:
        await asyncio.sleep(order["s"])
        yield _json({})

    async def abort(self, request: HttpBody, context: Any, order: Any) -> AsyncIterator[HttpBody]:
        if order.get("late"):
            await context.send_initial_metadata((("openai-processing-ms", "5"),))
        trailers = () if order.get("bare") else TRAILERS
        await context.abort(grpc.StatusCode[order["status"]], 'said "é"', trailers)
        yield _json({})

    async def fail(self, request: HttpBody, context: Any, order: Any) -> AsyncIterator[HttpBody]:
        message = "secret detail"
        raise ValueError(message)
        yield _json({})


class FakeTyped(embeddings_pb2_grpc.EmbeddingsServiceServicer):
    async def CreateEmbeddings(
        self, request: embeddings_pb2.CreateEmbeddingsRequest, context: Any
    ) -> embeddings_pb2.CreateEmbeddingsResponse:
        if request.model == "wait":
            await asyncio.sleep(LIMIT_S)
        if request.model != "m":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such model", TRAILERS)
        return embeddings_pb2.CreateEmbeddingsResponse(model=request.model)


class FakeInspection(runtime_pb2_grpc.RuntimeServiceServicer):
    async def ListServedModels(self, request: Any, context: Any) -> Any:
        return runtime_pb2.ListServedModelsResponse()


class FakeDesk(frontdesk_pb2_grpc.DirectoryServiceServicer):
    async def ListModels(self, request: Any, context: Any) -> frontdesk_pb2.ListModelsResponse:
        return frontdesk_pb2.ListModelsResponse(object="list")

    async def GetModel(self, request: Any, context: Any) -> frontdesk_pb2.Model:
        if request.model == "none":
            await context.abort(grpc.StatusCode.NOT_FOUND, "none", TRAILERS)
        return frontdesk_pb2.Model(id=request.model, object="model")


def add_embeddings(server: grpc.aio.Server) -> None:
    embeddings_pb2_grpc.add_EmbeddingsRestServicer_to_server(FakeRest(), server)
    embeddings_pb2_grpc.add_EmbeddingsServiceServicer_to_server(FakeTyped(), server)
    runtime_pb2_grpc.add_RuntimeServiceServicer_to_server(FakeInspection(), server)


def add_desk(server: grpc.aio.Server) -> None:
    frontdesk_pb2_grpc.add_DirectoryServiceServicer_to_server(FakeDesk(), server)
    runtime_pb2_grpc.add_RuntimeServiceServicer_to_server(FakeInspection(), server)


class Backend:
    """A gRPC server in a thread, with health and reflection."""

    def __init__(self, name: str, add: Callable[[grpc.aio.Server], None], port: int = 0) -> None:
        self._name, self._add, self.port = name, add, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(LIMIT_S)

    async def _start(self) -> None:
        size = ("grpc.max_receive_message_length", 64 * 2**20)
        self._server = grpc.aio.server(options=[size, ("grpc.so_reuseport", 0)])
        self._add(self._server)
        servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)
        await servicer.set(self._name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection((self._name,), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    def close(self) -> None:
        """Close every connection at once, as a killed process would."""
        asyncio.run_coroutine_threadsafe(self._server.stop(0), self._loop).result(LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()


def embeddings(port: int = 0) -> Backend:
    """Return the embeddings service."""
    return Backend(REST, add_embeddings, port)


def front_desk(port: int = 0) -> Backend:
    """Return the front desk."""
    return Backend(DESK, add_desk, port)
