"""Tells the mesh about the models of this process, and loads and unloads them by hand.

`switchboard.runtime.v1.RuntimeService`.
"""

from functools import partial
from typing import Any

import grpc
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc

from services.runtime.errors import ModelNotFoundError
from services.runtime.registry import Entry, Registry
from services.runtime.server import Door

_NAME = runtime_pb2.DESCRIPTOR.services_by_name["RuntimeService"].full_name


class _Inspection(runtime_pb2_grpc.RuntimeServiceServicer):
    def __init__(self, models: Registry[Any, Any]) -> None:
        self._models = models

    async def ListServedModels(
        self, request: runtime_pb2.ListServedModelsRequest, context: Any
    ) -> runtime_pb2.ListServedModelsResponse:
        """Answer with the state of every model."""
        return runtime_pb2.ListServedModelsResponse(models=map(_describe, self._models.entries))

    async def LoadModel(
        self, request: runtime_pb2.LoadModelRequest, context: Any
    ) -> runtime_pb2.LoadModelResponse:
        """Have a model loaded, and answer how it is now."""
        entry = await self._find(request.model, context)
        self._models.load(entry)
        return runtime_pb2.LoadModelResponse(model=_describe(entry))

    async def UnloadModel(
        self, request: runtime_pb2.UnloadModelRequest, context: Any
    ) -> runtime_pb2.UnloadModelResponse:
        """Have a model unloaded, and answer how it is now."""
        entry = await self._find(request.model, context)
        self._models.unload(entry)
        return runtime_pb2.UnloadModelResponse(model=_describe(entry))

    async def _find(self, name: str, context: Any) -> Entry[Any, Any]:
        """Return an entry, or end the call: nothing around these calls tells errors."""
        try:
            return self._models.find(name)
        except ModelNotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
            raise


def inspection_door(models: Registry[Any, Any]) -> Door:
    """Return the door that shows the models of a registry."""
    add = runtime_pb2_grpc.add_RuntimeServiceServicer_to_server
    return Door(_NAME, partial(add, _Inspection(models)))


def _describe(entry: Entry[Any, Any]) -> runtime_pb2.ServedModel:
    model = runtime_pb2.ServedModel(id=entry.settings.id, state=entry.state, detail=entry.detail)
    if entry.served is not None:
        told = entry.served.description
        model.provider = told.provider
        model.created = told.created
        model.context_length = told.context_length
        model.dimensions = told.dimensions
        model.memory_bytes = told.memory_bytes
    return model
