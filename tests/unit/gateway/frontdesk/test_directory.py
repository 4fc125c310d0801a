import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from switchboard.frontdesk.v1 import frontdesk_pb2
from switchboard.runtime.v1.runtime_pb2 import ServedModel

from gateway.endpoints import endpoints
from gateway.frontdesk.directory import Directory
from gateway.frontdesk.statuses import Statuses, UnansweredError
from services.runtime.config import Settings
from services.runtime.errors import ModelNotFoundError

READY = ServedModel(
    id="org/b",
    state="ready",
    provider="cpu",
    created=7,
    context_length=256,
    dimensions=384,
    memory_bytes=5 * 2**20 + 1,
)
FAILED = ServedModel(id="a", state="failed", detail="no file model.onnx")


def directory(*models: ServedModel, answers: bool = True) -> Directory:
    """Return the directory of a mesh whose embeddings service says this."""
    settings = Settings(
        embeddings={
            "models": [
                {"id": "org/b", "folder": Path("b"), "aliases": ["small"], "owned_by": "org"},
                {"id": "a", "folder": Path("a")},
            ]
        }
    )

    async def ask() -> Sequence[ServedModel]:
        if not answers:
            raise UnansweredError("gone")
        return models

    return Directory(settings, endpoints(settings), Statuses({"embeddings": ask}))


def listed(desk: Directory) -> Sequence[frontdesk_pb2.Model]:
    return asyncio.run(desk.ListModels(frontdesk_pb2.ListModelsRequest(), None)).data


def get(desk: Directory, name: str) -> frontdesk_pb2.Model:
    return asyncio.run(desk.GetModel(frontdesk_pb2.GetModelRequest(model=name), None))


def test_models_are_listed_by_id_with_what_their_service_says() -> None:
    failed, ready = listed(directory(READY, FAILED))

    assert (failed.id, failed.state, failed.state_detail) == ("a", "failed", "no file model.onnx")
    assert ready == frontdesk_pb2.Model(
        id="org/b",
        object="model",
        created=7,
        owned_by="org",
        endpoint="POST /v1/embeddings",
        state="ready",
        aliases=["small"],
        provider="cpu",
        context_length=256,
        dimensions=384,
        memory_mib=6,
    )


def test_models_stay_listed_while_their_service_is_down() -> None:
    models = listed(directory(answers=False))

    assert [(model.id, model.state) for model in models] == [
        ("a", "unavailable"),
        ("org/b", "unavailable"),
    ]
    assert models[0].state_detail == (
        "The embeddings service does not answer; it may be starting or restarting."
    )


def test_a_service_with_other_settings_is_told_apart_from_one_that_is_down() -> None:
    unknown, _ = listed(directory(READY))

    assert unknown.state == "unavailable"
    assert "other settings" in unknown.state_detail


def test_an_alias_leads_to_its_model() -> None:
    assert get(directory(READY), "small").id == "org/b"


@pytest.mark.parametrize(
    ("name", "hint"), [("smal", " Did you mean 'small'?"), ("gpt-4o", ""), ("x" * 9000, "")]
)
def test_an_unknown_model_is_told_with_the_nearest_name(name: str, hint: str) -> None:
    with pytest.raises(ModelNotFoundError) as raised:
        get(directory(READY), name)

    shown = name if len(name) <= 200 else name[:200] + "…"
    assert str(raised.value) == (
        f"The model '{shown}' does not exist.{hint} GET /v1/models lists those there are."
    )


def test_endpoints_are_listed_by_path_with_their_models() -> None:
    desk = directory(READY, FAILED)

    rows = asyncio.run(desk.ListEndpoints(frontdesk_pb2.ListEndpointsRequest(), None)).data

    assert [row.path for row in rows] == [
        "/v1/embeddings",
        "/v1/endpoints",
        "/v1/models",
        "/v1/models/{model}",
    ]
    assert rows[0] == frontdesk_pb2.Endpoint(
        method="POST",
        path="/v1/embeddings",
        object="endpoint",
        grpc_method="switchboard.embeddings.v1.EmbeddingsRest/CreateEmbeddings",
        service="embeddings",
        state="ready",
        models=["org/b", "a"],
        providers=["cpu"],
    )
    assert (rows[1].service, rows[1].state) == ("frontdesk", "ready")


@pytest.mark.parametrize("desk", [directory(answers=False), directory(FAILED)])
def test_an_endpoint_without_a_ready_model_is_unavailable(desk: Directory) -> None:
    rows = asyncio.run(desk.ListEndpoints(frontdesk_pb2.ListEndpointsRequest(), None)).data

    assert rows[0].state == "unavailable"


@pytest.mark.parametrize(
    ("state", "told"),
    [("unloaded", "ready"), ("unloading", "ready"), ("loading", "unavailable")],
)
def test_an_endpoint_is_ready_when_a_model_could_be_asked_for(state: str, told: str) -> None:
    desk = directory(ServedModel(id="org/b", state=state), FAILED)

    rows = asyncio.run(desk.ListEndpoints(frontdesk_pb2.ListEndpointsRequest(), None)).data

    assert (rows[0].state, list(rows[0].providers)) == (told, [])
