"""`switchboard up` with the real parts, and mostly a model that is not there: nothing to load."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.mesh import Answer, Mesh, running_mesh
from tests.models.encoder import write_encoder

ABSENT = '[[embeddings.models]]\nid = "absent"\nfolder = "absent"\n'
PATIENCE_S = 60.0


def console(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def children(mesh: Mesh) -> dict[str, psutil.Process]:
    """The processes of a mesh by what stands in their command lines."""
    marks = {"services.embeddings": "embeddings", "gateway.frontdesk": "frontdesk"}
    return {
        next((marks[word] for word in child.cmdline() if word in marks), "gateway"): child
        for child in psutil.Process(mesh.process.pid).children()
    }


def wait_for(mesh: Mesh, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while text not in mesh.log.read_text():
        assert time.monotonic() < deadline, mesh.log.read_text()
        time.sleep(0.05)


def settings(mesh: Mesh) -> Path:
    return mesh.log.with_name("switchboard.toml")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with running_mesh(tmp_path_factory.mktemp("mesh"), ABSENT) as mesh:
        yield mesh


@pytest.fixture
def own_mesh(tmp_path: Path) -> Iterator[Mesh]:
    """A mesh that a test may end."""
    with running_mesh(tmp_path, ABSENT) as mesh:
        yield mesh


def test_a_model_that_failed_is_shown_with_its_reason_and_the_mesh_is_up(mesh: Mesh) -> None:
    log = mesh.log.read_text()

    assert f"absent: {mesh.log.parent}/absent: there is no such folder" in log
    assert f"curl http://localhost:{mesh.port}/v1/models" in log


def test_the_models_of_a_running_mesh_are_listed_with_their_states(mesh: Mesh) -> None:
    result = console("models", "list", "--json", "--config", settings(mesh))

    [model] = json.loads(result.stdout)
    assert (result.returncode, model["id"], model["state"]) == (0, "absent", "failed")


def test_a_second_mesh_on_the_same_ports_fails_and_names_who_holds_them(mesh: Mesh) -> None:
    result = console("up", "--config", settings(mesh))

    assert result.returncode == 1
    assert f"gateway.port: 127.0.0.1:{mesh.port} is in use by process" in result.stderr
    assert "envoy" in result.stderr


def test_the_doctor_finds_the_ports_of_a_running_mesh_in_order(mesh: Mesh) -> None:
    result = console("doctor", "--config", settings(mesh))

    assert f"127.0.0.1:{mesh.port} is in use: the mesh is running" in result.stdout
    assert "Envoy takes it" in result.stdout
    assert result.returncode == 1  # the model is missing


def test_a_service_that_is_killed_comes_back_and_the_others_go_on(mesh: Mesh) -> None:
    before = children(mesh)

    before["embeddings"].kill()
    wait_for(mesh, "embeddings was ended by SIGKILL; it is started again in 0.2 s")
    deadline = time.monotonic() + PATIENCE_S
    while "embeddings" not in (after := children(mesh)):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert after["embeddings"].pid != before["embeddings"].pid
    assert (after["gateway"], after["frontdesk"]) == (before["gateway"], before["frontdesk"])


def test_the_services_end_first_and_nothing_is_left(own_mesh: Mesh) -> None:
    processes = children(own_mesh)

    own_mesh.process.send_signal(signal.SIGTERM)

    assert own_mesh.process.wait(PATIENCE_S) == 0
    assert psutil.wait_procs(processes.values(), timeout=0)[1] == []
    log = own_mesh.log.read_text()
    assert log.index("embeddings  | ") < log.index("caught ENVOY_SIGTERM")
    assert log.splitlines()[-1] == "switchboard | stopped"


def test_a_supervisor_that_is_killed_leaves_no_process_and_no_port(own_mesh: Mesh) -> None:
    processes = children(own_mesh)

    own_mesh.process.kill()
    own_mesh.process.wait()

    assert psutil.wait_procs(processes.values(), timeout=PATIENCE_S)[1] == []
    socket.create_server(("127.0.0.1", own_mesh.port)).close()


def test_no_temporary_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))

    with running_mesh(tmp_path, ABSENT):
        names = {path.name for path in temporary.iterdir()}

    assert names <= {".ses"}  # ONNX Runtime writes this one when it is imported


def test_a_service_with_wrong_settings_is_told_and_the_rest_is_up(tmp_path: Path) -> None:
    with running_mesh(tmp_path, ABSENT, embeddings="no_such_key = 1") as mesh:
        log = mesh.log.read_text()

    assert "no_such_key" in log
    assert log.count("embeddings cannot use its settings: see its lines above") == 1


def test_models_come_and_go_while_the_mesh_is_up(tmp_path: Path) -> None:
    """The gateway tries again for a third of a second, so a short load is not noticed at all."""
    write_encoder(tmp_path / "tiny")
    models = "".join(
        f'[[embeddings.models]]\nid = "{name}"\nfolder = "tiny"\nload = "{load}"\n'
        for name, load in {"first": "start", "later": "demand"}.items()
    )

    def states() -> dict[str, tuple[str, int]]:
        told = json.loads(console("models", "list", "--json", "--config", settings(mesh)).stdout)
        return {model["id"]: (model["state"], model["memory_mib"]) for model in told}

    def ask(model: str) -> Answer:
        return mesh.post("/v1/embeddings", {"model": model, "input": "a"})

    with running_mesh(tmp_path, models) as mesh:
        at_first = states()
        deadline = time.monotonic() + PATIENCE_S
        while (answer := ask("later")).status != 200:
            assert (answer.status, answer.error["code"]) == (503, "model_loading")
            assert 1 <= int(answer.headers["retry-after"]) <= 5
            assert time.monotonic() < deadline
        unloaded = console("models", "unload", "first", "--config", settings(mesh))
        refused = ask("first")
        while states() != {"first": ("unloaded", 0), "later": ("ready", 1)}:
            assert time.monotonic() < deadline

    assert at_first == {"first": ("ready", 1), "later": ("unloaded", 0)}
    assert unloaded.returncode == 0
    assert (refused.status, refused.error["code"]) == (503, "model_unloaded")
    assert refused.headers["retry-after"] == "30"
