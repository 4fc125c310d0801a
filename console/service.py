"""One service of the mesh, asked directly about its models; the gateway does not route there."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import grpc
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc
from switchboard.runtime.v1.runtime_pb2 import ServedModel

TIMEOUT_S = 5.0


class OrderError(Exception):
    """Nobody does what is asked for; the message says why."""


class Service:
    """A channel to one service, until it is closed."""

    def __init__(self, family: str, address: str) -> None:
        """Take the service's name for messages and its `host:port`."""
        self._name = f"the {family} service at {address}"
        self._channel = grpc.insecure_channel(address, (("grpc.enable_http_proxy", 0),))
        self._stub = runtime_pb2_grpc.RuntimeServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the channel."""
        self._channel.close()

    def load(self, model: str) -> ServedModel:
        """Have a model loaded; return how it is now.

        Raises:
            OrderError: The service does not answer, or does not have the model.
        """
        with self._told():
            request = runtime_pb2.LoadModelRequest(model=model)
            return self._stub.LoadModel(request, timeout=TIMEOUT_S).model

    def unload(self, model: str) -> ServedModel:
        """Have a model unloaded; return how it is now. Raises as `load`."""
        with self._told():
            request = runtime_pb2.UnloadModelRequest(model=model)
            return self._stub.UnloadModel(request, timeout=TIMEOUT_S).model

    def look(self, model: str) -> ServedModel:
        """Return how a model is, by its id. Raises as `load`."""
        with self._told():
            request = runtime_pb2.ListServedModelsRequest()
            served = self._stub.ListServedModels(request, timeout=TIMEOUT_S).models
        for one in served:
            if one.id == model:
                return one
        raise OrderError(f"{self._name} does not have the model '{model}' any more")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell the errors of a call in words."""
        try:
            yield
        except grpc.RpcError as error:
            raise OrderError(self._explain(error)) from None

    def _explain(self, error: grpc.RpcError) -> str:
        match error.code():
            case grpc.StatusCode.NOT_FOUND:
                return f"{self._name} runs with other settings: {error.details()}"
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
                return f"{self._name} does not answer; is the mesh running?"
            case code:
                return f"{self._name} answers {code.name}: {error.details()}"
