"""Answers which models and endpoints there are: from the settings, with what the services say."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from switchboard.frontdesk.v1 import frontdesk_pb2, frontdesk_pb2_grpc

from gateway.endpoints import FRONT_DESK, Endpoint
from gateway.frontdesk.statuses import ServiceStatus, Statuses
from services.runtime.config import ModelSettings, Settings
from services.runtime.errors import ModelNotFoundError, hint_at, shown

NO_ANSWER = "The {} service does not answer; it may be starting or restarting."
NOT_SERVED = "The {} service runs with other settings: it does not have this model."

CALLABLE = {"ready", "unloading", "unloaded"}
"""States of a model that answers, or that is loaded when it is asked for."""

MIB = 2**20


class Directory(frontdesk_pb2_grpc.DirectoryServiceServicer):
    """The directory of one mesh; a model stays listed while its service is down."""

    def __init__(
        self, settings: Settings, endpoints: Sequence[Endpoint], statuses: Statuses
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._statuses = statuses
        self._by_name = {
            name: (family, model) for family, model in self._models() for name in model.names
        }

    async def ListModels(
        self, request: frontdesk_pb2.ListModelsRequest, context: Any
    ) -> frontdesk_pb2.ListModelsResponse:
        """List every model, ordered by id."""
        statuses = await self._statuses.get()
        models = [
            self._describe(family, model, statuses[family]) for family, model in self._models()
        ]
        return frontdesk_pb2.ListModelsResponse(
            object="list", data=sorted(models, key=lambda model: model.id)
        )

    async def GetModel(
        self, request: frontdesk_pb2.GetModelRequest, context: Any
    ) -> frontdesk_pb2.Model:
        """Describe the model behind an id or alias.

        Raises:
            ModelNotFoundError: No model has this name.
        """
        if request.model not in self._by_name:
            raise ModelNotFoundError(self._unknown(request.model))
        family, model = self._by_name[request.model]
        statuses = await self._statuses.get()
        return self._describe(family, model, statuses[family])

    async def ListEndpoints(
        self, request: frontdesk_pb2.ListEndpointsRequest, context: Any
    ) -> frontdesk_pb2.ListEndpointsResponse:
        """List every endpoint, ordered by path."""
        statuses = {**await self._statuses.get(), FRONT_DESK: ServiceStatus()}
        ordered = sorted(self._endpoints, key=lambda endpoint: (endpoint.path, endpoint.method))
        return frontdesk_pb2.ListEndpointsResponse(
            object="list",
            data=[self._endpoint(endpoint, statuses[endpoint.family]) for endpoint in ordered],
        )

    def _models(self) -> Iterator[tuple[str, ModelSettings]]:
        for family, section in self._settings.services.items():
            for model in section.models:
                yield family, model

    def _describe(
        self, family: str, model: ModelSettings, status: ServiceStatus
    ) -> frontdesk_pb2.Model:
        described = frontdesk_pb2.Model(
            id=model.id,
            object="model",
            owned_by=model.owned_by,
            endpoint=self._main_endpoint(family),
            aliases=model.aliases,
        )
        served = status.models.get(model.id)
        if served is None:
            described.state = "unavailable"
            described.state_detail = (NOT_SERVED if status.answers else NO_ANSWER).format(family)
            return described
        described.state = served.state
        described.state_detail = served.detail
        described.provider = served.provider
        described.created = served.created
        described.context_length = served.context_length
        described.dimensions = served.dimensions
        described.memory_mib = math.ceil(served.memory_bytes / MIB)
        return described

    def _main_endpoint(self, family: str) -> str:
        """Return the family's first POST: the protos declare the main one first."""
        return next(
            f"{endpoint.method} {endpoint.path}"
            for endpoint in self._endpoints
            if endpoint.family == family and endpoint.method == "POST"
        )

    def _endpoint(self, endpoint: Endpoint, status: ServiceStatus) -> frontdesk_pb2.Endpoint:
        section = self._settings.services.get(endpoint.family)
        served = status.models.values()
        takes_calls = endpoint.family == FRONT_DESK or any(
            model.state in CALLABLE for model in served
        )
        return frontdesk_pb2.Endpoint(
            method=endpoint.method,
            path=endpoint.path,
            object="endpoint",
            grpc_method=endpoint.grpc_method,
            service=endpoint.family,
            state="ready" if takes_calls else "unavailable",
            models=[model.id for model in section.models] if section else (),
            providers=dict.fromkeys(model.provider for model in served if model.provider),
        )

    def _unknown(self, name: str) -> str:
        hint = hint_at(name, self._by_name)
        return (
            f"The model {shown(name)} does not exist.{hint} GET /v1/models lists those there are."
        )
