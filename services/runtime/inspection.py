"""Tells the mesh about the models of this process: `switchboard.runtime.v1.RuntimeService`."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc

from services.runtime.registry import Entry
from services.runtime.server import Door

_NAME = runtime_pb2.DESCRIPTOR.services_by_name["RuntimeService"].full_name


class _Inspection(runtime_pb2_grpc.RuntimeServiceServicer):
    def __init__(self, entries: Sequence[Entry[Any, Any]]) -> None:
        self._entries = entries

    async def ListServedModels(
        self, request: runtime_pb2.ListServedModelsRequest, context: Any
    ) -> runtime_pb2.ListServedModelsResponse:
        """Answer with the state of every entry."""
        return runtime_pb2.ListServedModelsResponse(models=map(_describe, self._entries))


def inspection_door(entries: Sequence[Entry[Any, Any]]) -> Door:
    """Return the door that shows the entries of a registry."""
    add = runtime_pb2_grpc.add_RuntimeServiceServicer_to_server
    return Door(_NAME, partial(add, _Inspection(entries)))


def _describe(entry: Entry[Any, Any]) -> runtime_pb2.ServedModel:
    model = runtime_pb2.ServedModel(
        id=entry.settings.id, state=entry.state, detail=entry.problem or ""
    )
    if entry.served is not None:
        told = entry.served.description
        model.provider = told.provider
        model.created = told.created
        model.context_length = told.context_length
        model.dimensions = told.dimensions
    return model
