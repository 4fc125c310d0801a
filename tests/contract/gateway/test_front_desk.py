"""The front desk as a process of its own."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from switchboard.frontdesk.v1 import frontdesk_pb2, frontdesk_pb2_grpc

from tests.contract.gateway.backends import DESK

SETTINGS = """
[frontdesk]
port = {port}
metrics_port = 0

[embeddings]
port = 1

[[embeddings.models]]
id = "m"
folder = "m"
"""


def start(folder: Path, port: int) -> subprocess.Popen[str]:
    (folder / "switchboard.toml").write_text(SETTINGS.format(port=port))
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.frontdesk"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def desk(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    with start(tmp_path, port) as process:
        yield process
        process.kill()


@pytest.fixture
def channel(desk: subprocess.Popen[str], port: int) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(10)
        assert desk.poll() is None
        yield channel


def test_it_is_ready_without_any_service(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    directory = frontdesk_pb2_grpc.DirectoryServiceStub(channel)

    checked = health.Check(health_pb2.HealthCheckRequest(service=DESK))
    (model,) = directory.ListModels(frontdesk_pb2.ListModelsRequest()).data

    assert checked.status == health_pb2.HealthCheckResponse.SERVING
    assert (model.id, model.state) == ("m", "unavailable")


def test_its_reflection_shows_every_configured_service(channel: grpc.Channel) -> None:
    service = "switchboard.embeddings.v1.EmbeddingsService"
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    listing = reflection_pb2.ServerReflectionRequest(list_services="*")
    symbol = reflection_pb2.ServerReflectionRequest(file_containing_symbol=service)

    listed, described = stub.ServerReflectionInfo(iter([listing, symbol]))

    names = {service.name for service in listed.list_services_response.service}
    assert {DESK, service, "switchboard.embeddings.v1.EmbeddingsRest"} <= names
    assert "switchboard.runtime.v1.RuntimeService" not in names
    assert described.file_descriptor_response.file_descriptor_proto


@pytest.mark.usefixtures("channel")
def test_a_signal_ends_it_cleanly(desk: subprocess.Popen[str]) -> None:
    started = time.monotonic()

    desk.send_signal(signal.SIGTERM)

    assert desk.wait(10) == 0
    assert time.monotonic() - started < 3


def test_a_taken_port_ends_it_with_a_line_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(tmp_path, port) as process:
            printed, _ = process.communicate(timeout=10)

    assert process.returncode == 1
    assert f"127.0.0.1:{port}" in printed


def test_a_wrong_setting_ends_it_with_its_name(tmp_path: Path) -> None:
    with start(tmp_path, -1) as process:
        _, printed = process.communicate(timeout=10)

    assert process.returncode == 2
    assert "frontdesk.port" in printed
