"""From the first start until the mesh serves."""

import asyncio
import io
import json
from collections.abc import Callable
from http.server import HTTPServer

import pytest

from console.config import overridden
from console.opening import Opening
from console.screen import Screen
from console.supervision.journal import Journal
from console.supervision.keeper import Phase
from services.runtime.config import Settings

Gateway = Callable[[dict[str, tuple[int, bytes]]], HTTPServer]
Answers = dict[str, tuple[int, bytes]]

PATIENCE_S = 30.0


def answer(*data: object) -> tuple[int, bytes]:
    return 200, json.dumps({"object": "list", "data": data}).encode()


def routes_to(*names: str) -> tuple[int, bytes]:
    clusters = [{"name": name, "host_statuses": [{}]} for name in names]
    return 200, json.dumps({"cluster_statuses": clusters}).encode()


def announce(settings: Settings, server: HTTPServer, phases: dict[str, Phase]) -> str:
    """Return what is written while a mesh opens whose gateway and Envoy admin is one server."""
    port = server.server_port
    settings = overridden(settings, {("gateway", "port"): port, ("gateway", "admin_port"): port})
    stream = io.StringIO()

    async def run() -> None:
        opening = Opening(settings, lambda: phases, Journal(stream, phases), Screen(stream))
        await asyncio.wait_for(opening.announce(), PATIENCE_S)

    asyncio.run(run())
    return stream.getvalue()


@pytest.fixture
def phases() -> dict[str, Phase]:
    return dict.fromkeys(("embeddings", "gateway", "frontdesk"), Phase.READY)


def test_a_mesh_that_serves_is_shown_with_all_that_it_has(
    settings: Settings, gateway: Gateway, phases: dict[str, Phase]
) -> None:
    small = {"id": "small", "state": "ready", "endpoint": "POST /v1/embeddings"}
    server = gateway(
        {
            "/clusters?format=json": routes_to("embeddings", "frontdesk"),
            "/v1/models": answer(small),
            "/v1/endpoints": answer({"method": "POST", "path": "/v1/embeddings"}),
        }
    )

    text = announce(settings, server, phases)

    assert "small" in text
    assert f"curl http://localhost:{server.server_port}/v1/embeddings" in text
    assert "switchboard | the mesh is up after" in text


def test_a_mesh_whose_models_all_failed_is_up_all_the_same(
    settings: Settings, gateway: Gateway, phases: dict[str, Phase]
) -> None:
    phases["embeddings"] = Phase.STARTING
    failed = [
        {"id": name, "state": "failed", "state_detail": "gone"} for name in ("small", "large")
    ]
    answers = {"/clusters?format=json": routes_to("frontdesk"), "/v1/models": answer(*failed)}
    server = gateway({**answers, "/v1/endpoints": answer()})

    text = announce(settings, server, phases)

    assert "small: gone" in text
    assert "the mesh is up" in text


def test_a_model_that_still_loads_keeps_the_mesh_from_being_up(
    settings: Settings, gateway: Gateway, phases: dict[str, Phase]
) -> None:
    answers: Answers = {
        "/clusters?format=json": routes_to("embeddings", "frontdesk"),
        "/v1/endpoints": answer(),
    }
    looks = iter(["loading", "ready", "ready"])

    class Changing(Answers):
        def get(self, path: str, default: object = None) -> object:  # type: ignore[override]
            if path == "/v1/models":
                return answer({"id": "small", "state": next(looks)})
            return super().get(path, default)  # type: ignore[call-overload]

    announce(settings, gateway(Changing(answers)), phases)

    assert next(looks, None) is None


def test_a_front_desk_that_fails_does_not_keep_the_mesh_from_being_up(
    settings: Settings, gateway: Gateway, phases: dict[str, Phase]
) -> None:
    server = gateway({"/clusters?format=json": routes_to("embeddings", "frontdesk")})

    text = announce(settings, server, phases)

    assert "The front desk does not list what there is" in text
    assert "the mesh is up" in text
