"""Starts the whole mesh, with `switchboard up` and a real Envoy, on free ports of this machine."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 60.0
STOP_S = 45.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """OpenAI's error object, after a check of its shape."""
        assert self.headers["content-type"] == "application/json"
        assert self.json.keys() == {"error"}
        assert self.json["error"].keys() == {"message", "type", "param", "code"}
        return self.json["error"]


@dataclass(frozen=True)
class Mesh:
    """A running mesh."""

    process: subprocess.Popen[bytes]
    port: int
    """The gateway's: REST and gRPC."""
    ports: dict[str, int]
    """The gRPC port of each service."""
    log: Path
    """What `switchboard up` printed."""

    @property
    def url(self) -> str:
        """Base address for HTTP clients."""
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one plain HTTP request."""
        return send(self.port, method, path, body, headers or {})

    def post(self, path: str, value: object, headers: dict[str, str] | None = None) -> Answer:
        """Send a JSON body; bytes are sent as they are."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, body, {"content-type": "application/json", **(headers or {})})


def send(
    port: int,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    limit_s: float = 60.0,
) -> Answer:
    """Send one plain HTTP request to this machine, on a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=limit_s)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        names = [name.lower() for name in response.headers]
        assert len(names) == len(set(names)), f"a header twice: {names}"
        answered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, answered, response.read())


@contextmanager
def running_mesh(
    folder: Path, models: str, *, embeddings: str = "", gateway: str = "", chat: str | None = None
) -> Iterator[Mesh]:
    """Run a mesh while the context lasts.

    Args:
        folder: Where its settings and its log go.
        models: TOML of its `[[embeddings.models]]` tables.
        embeddings: Further TOML lines of the table `[embeddings]`.
        gateway: Further TOML lines of the table `[gateway]`.
        chat: Further TOML lines of the table `[chat]`, and its models; None: no such service.
    """
    gateway_port, admin, desk, desk_metrics, service, metrics, talk, talk_metrics = free_ports(8)
    talking = f"[chat]\nport = {talk}\nmetrics_port = {talk_metrics}\n{chat}\n"
    settings = folder / "switchboard.toml"
    settings.write_text(
        f"[gateway]\nport = {gateway_port}\nadmin_port = {admin}\n{gateway}\n"
        f"[frontdesk]\nport = {desk}\nmetrics_port = {desk_metrics}\n"
        f"[embeddings]\nport = {service}\nmetrics_port = {metrics}\n{embeddings}\n{models}"
        + (talking if chat is not None else "")
    )
    log = folder / "up.log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "console", "up", "--config", str(settings)],
            stdout=lines,
            stderr=subprocess.STDOUT,
            env={k: v for k, v in os.environ.items() if not k.startswith("SWITCHBOARD_")},  # noqa: TID251 - the mesh gets a clean environment
        )
    ports = {"embeddings": service, "frontdesk": desk, "metrics": metrics}
    if chat is not None:
        ports |= {"chat": talk, "chat-metrics": talk_metrics}
    mesh = Mesh(process, gateway_port, ports, log)
    try:
        wait_until_ready(mesh)
        yield mesh
    finally:
        stop(process)


def wait_until_ready(mesh: Mesh) -> None:
    """Return once `switchboard up` says that the mesh is up; fail after a minute."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if mesh.process.poll() is not None:
            raise AssertionError(f"the mesh ended:\n{mesh.log.read_text()}")
        if "the mesh is up" in mesh.log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"the mesh did not start:\n{mesh.log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the mesh as a terminal's user would; kill it when it does not listen."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def free_ports(count: int) -> list[int]:
    """Return so many ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
