"""A service is told to load or unload a model."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import Result
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc
from switchboard.runtime.v1.runtime_pb2 import ServedModel
from typer.testing import CliRunner

from console.__main__ import app

READY = ServedModel(id="a/small", state="ready", provider="cpu", memory_bytes=23 * 2**20)
LOADING = ServedModel(id="a/small", state="loading")
WAITING = ServedModel(id="a/small", state="loading", detail="Waits for its turn, and for room.")
UNLOADING = ServedModel(id="a/small", state="unloading", detail="Calls in flight: 2.")
UNLOADED = ServedModel(id="a/small", state="unloaded", detail="Unloaded by hand.")
FAILED = ServedModel(id="a/small", state="failed", detail="no file model.onnx")

Run = Callable[..., Result]


class Scripted(runtime_pb2_grpc.RuntimeServiceServicer):
    """Tells one state after the other."""

    def __init__(self) -> None:
        self.states: list[ServedModel] = []
        self.orders: list[str] = []
        self.error: tuple[grpc.StatusCode, str] | None = None

    def LoadModel(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the proto
        return runtime_pb2.LoadModelResponse(model=self._next("load", request, context))

    def UnloadModel(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the proto
        return runtime_pb2.UnloadModelResponse(model=self._next("unload", request, context))

    def ListServedModels(self, request: Any, context: Any) -> Any:  # noqa: N802 - as above
        other = ServedModel(id="other", state="ready")
        models = [other, *(self.states[:1])]
        del self.states[:1]
        return runtime_pb2.ListServedModelsResponse(models=models)

    def _next(self, order: str, request: Any, context: Any) -> ServedModel:
        self.orders.append(f"{order} {request.model}")
        if self.error:
            context.abort(*self.error)
        return self.states.pop(0)


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
def run(service: Scripted, tmp_path: Path) -> Iterator[Run]:
    """Return what runs a command against the service and what it told."""
    server = grpc.server(ThreadPoolExecutor(2))
    runtime_pb2_grpc.add_RuntimeServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    config = tmp_path / "mesh.toml"
    config.write_text(
        f"[embeddings]\nport = {port}\n"
        '[[embeddings.models]]\nid = "a/small"\nfolder = "small"\naliases = ["s"]\n'
    )

    def invoke(order: str, *states: ServedModel, model: str = "a/small") -> Result:
        service.states = list(states)
        return CliRunner().invoke(app, ["models", order, model, "--config", str(config)])

    yield invoke
    server.stop(None).wait()


def test_a_model_is_loaded_and_told_with_its_memory(run: Run, service: Scripted) -> None:
    result = run("load", LOADING, LOADING, WAITING, READY)

    assert result.exit_code == 0
    assert result.stdout.startswith("a/small is ready after 0.")
    assert result.stdout.endswith(" s: 23 MiB on cpu\n")
    assert result.stderr.splitlines() == [
        "a/small is loading …",
        "a/small is loading: Waits for its turn, and for room.",
    ]
    assert service.orders == ["load a/small"]


def test_an_alias_is_told_to_the_service_as_the_id(run: Run, service: Scripted) -> None:
    assert run("load", READY, model="s").exit_code == 0
    assert service.orders == ["load a/small"]


def test_a_model_that_makes_room_first_is_waited_for(run: Run) -> None:
    assert run("load", UNLOADING, LOADING, READY).exit_code == 0


def test_a_model_that_fails_is_told_with_its_reason(run: Run) -> None:
    result = run("load", LOADING, FAILED)

    assert result.exit_code == 1
    assert result.stdout == "a/small is failed: no file model.onnx\n"


def test_a_model_is_unloaded_when_its_calls_have_ended(run: Run, service: Scripted) -> None:
    result = run("unload", UNLOADING, UNLOADING, UNLOADED)

    assert result.exit_code == 0
    assert result.stdout == "a/small is unloaded: Unloaded by hand.\n"
    assert result.stderr == "a/small is unloading: Calls in flight: 2.\n"
    assert service.orders == ["unload a/small"]


def test_a_model_that_somebody_wants_meanwhile_was_unloaded_all_the_same(run: Run) -> None:
    result = run("unload", UNLOADING, LOADING)

    assert result.exit_code == 0
    assert result.stdout == "a/small was unloaded, and is loading: somebody asked for it\n"


def test_an_unknown_model_is_told_with_the_nearest_name(run: Run, service: Scripted) -> None:
    result = run("load", model="a/smal")

    assert result.exit_code == 1
    assert result.stderr == (
        "switchboard: no service has a model 'a/smal'. Did you mean 'a/small'?\n"
    )
    assert service.orders == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (grpc.StatusCode.NOT_FOUND, "runs with other settings: why"),
        (grpc.StatusCode.UNAVAILABLE, "does not answer; is the mesh running?"),
        (grpc.StatusCode.UNIMPLEMENTED, "answers UNIMPLEMENTED: why"),
    ],
)
def test_a_service_that_refuses_is_told(
    run: Run, service: Scripted, code: grpc.StatusCode, told: str
) -> None:
    service.error = (code, "why")

    result = run("unload")

    assert result.exit_code == 1
    assert result.stderr.startswith("switchboard: the embeddings service at 127.0.0.1:")
    assert told in result.stderr


def test_a_service_that_starts_anew_without_the_model_is_told(run: Run) -> None:
    result = run("load", LOADING)

    assert result.exit_code == 1
    assert "does not have the model 'a/small' any more" in result.stderr


def test_a_service_on_any_port_cannot_be_told(tmp_path: Path) -> None:
    config = tmp_path / "mesh.toml"
    config.write_text(
        '[embeddings]\nport = 0\n[[embeddings.models]]\nid = "small"\nfolder = "small"\n'
    )

    result = CliRunner().invoke(app, ["models", "load", "small", "--config", str(config)])

    assert result.exit_code == 1
    assert "embeddings.port is 0" in result.stderr
