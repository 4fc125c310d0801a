"""A real Envoy, and a client that notices what a good one would hide."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.bootstrap import render
from services.runtime.config import Settings
from tests.mesh import Answer, send

LIMIT_S = 10.0


@dataclass(frozen=True)
class Gateway:
    """A running Envoy."""

    port: int
    admin_port: int
    log: Path

    def send(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        return send(self.port, method, path, data, headers or {}, LIMIT_S)

    def post(self, **order: Any) -> Answer:
        """Tell the fake service what to do."""
        return self.send("POST", "/v1/embeddings", order, {"content-type": "application/json"})

    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(f"127.0.0.1:{self.port}")

    def logged(self, request_id: str) -> dict[str, Any]:
        """The access log's line about one call."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            for line in self.log.read_text().splitlines():
                if request_id in line:
                    return json.loads(line)  # type: ignore[no-any-return]
            time.sleep(0.02)
        pytest.fail(f"no line about {request_id}")


@contextmanager
def run_envoy(envoy: Path, settings: Settings, folder: Path) -> Iterator[Gateway]:
    """Run Envoy with these settings until the end of the block."""
    config, admin, log = folder / "envoy.json", folder / "admin", folder / "log"
    config.write_text(render(settings))
    command = [envoy, "--config-path", config, "--admin-address-path", admin, "--concurrency", "1"]
    flags = ["--disable-hot-restart", "--log-level", "warning", "--file-flush-interval-msec", "20"]
    with log.open("w") as stdout, subprocess.Popen([*command, *flags], stdout=stdout) as process:
        try:
            admin_port = int(_eventually(admin.read_text).rpartition(":")[2])
            yield Gateway(_eventually(lambda: _listening_port(admin_port)), admin_port, log)
        finally:
            process.kill()


def _listening_port(admin_port: int) -> int:
    listeners = send(admin_port, "GET", "/listeners?format=json", None, {}, LIMIT_S).json
    address = listeners["listener_statuses"][0]["local_address"]["socket_address"]
    port: int = address["port_value"]
    send(port, "GET", "/healthz", None, {}, LIMIT_S)
    return port


def _eventually(attempt: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            return attempt()
        except (OSError, LookupError, ValueError):
            assert time.monotonic() < deadline, "Envoy did not start"
            time.sleep(0.02)
