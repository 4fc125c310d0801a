"""The mesh under load, and when parts of it die."""

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter

import psutil

from tests.e2e.callers import Callers
from tests.e2e.conftest import MODEL
from tests.mesh import Answer, Mesh

CALLERS = 4
BODY = json.dumps(
    {"model": MODEL, "input": "a short text of a caller", "encoding_format": "base64"}
)


def service_process(mesh: Mesh) -> psutil.Process:
    """The process of the embeddings service."""
    children = psutil.Process(mesh.process.pid).children(recursive=True)
    return next(child for child in children if "services.embeddings" in child.cmdline())


def metric(mesh: Mesh, name: str) -> float:
    """The sum of a metric of the embeddings service over its labels."""
    url = f"http://127.0.0.1:{mesh.ports['metrics']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def ask_once(port: int) -> tuple[int, bool]:
    """One call on a connection of its own: its status, and whether it says when to try again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/embeddings HTTP/1.1\r\nhost: t\r\ncontent-length: {len(BODY)}\r\n\r\n"
    writer.write((head + BODY).encode())
    told = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.read(65536)
    writer.close()
    return int(told.split()[1]), "retry-after: " in told


async def ask_at_once(port: int, count: int) -> list[tuple[int, bool]]:
    """As many calls as that, all at the same time."""
    async with asyncio.timeout(120):
        return await asyncio.gather(*(ask_once(port) for _ in range(count)))


class Load(Callers):
    """A few callers of embeddings."""

    def __init__(self, mesh: Mesh, callers: int = CALLERS) -> None:
        super().__init__(callers)
        self.answers: list[Answer] = []
        self.cut: list[Exception] = []
        """Calls whose connection broke, without an answer or within one."""
        self._mesh = mesh

    def ask(self) -> None:
        """Ask for one embedding."""
        try:
            self.answers.append(self._mesh.post("/v1/embeddings", BODY.encode()))
        except (OSError, http.client.HTTPException) as error:
            self.cut.append(error)


def test_two_thousand_callers_at_once_are_answered_or_told_to_come_again(own_mesh: Mesh) -> None:
    service = service_process(own_mesh)
    asyncio.run(ask_at_once(own_mesh.port, 200))
    before = service.memory_info().rss

    answers = asyncio.run(ask_at_once(own_mesh.port, 2000))

    statuses = Counter(status for status, _ in answers)
    assert set(statuses) <= {200, 429, 503}, statuses
    assert statuses[200] >= 1000
    assert all(can_retry for status, can_retry in answers if status != 200)
    assert service.memory_info().rss - before < 150 * 2**20
    assert metric(own_mesh, "switchboard_num_requests_waiting") == 0


def test_a_caller_that_hangs_up_leaves_nothing_behind(own_mesh: Mesh) -> None:
    texts = ["a longer text " * 20] * 2048
    body = json.dumps({"model": MODEL, "input": texts}).encode()
    with socket.create_connection(("127.0.0.1", own_mesh.port), timeout=10) as caller:
        head = f"POST /v1/embeddings HTTP/1.1\r\nhost: t\r\ncontent-length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body)
        deadline = time.monotonic() + 20
        while metric(own_mesh, "switchboard_num_requests_waiting") == 0:
            assert time.monotonic() < deadline, "the request never reached the queue"
            time.sleep(0.01)

    deadline = time.monotonic() + 5
    while metric(own_mesh, "switchboard_num_requests_waiting"):
        assert time.monotonic() < deadline, "the queue still holds the work of a caller that left"
        time.sleep(0.05)
    assert metric(own_mesh, "switchboard_request_cancelled_total") == 1
    assert own_mesh.post("/v1/embeddings", BODY.encode()).status == 200


def test_sigterm_of_the_service_loses_no_call_in_flight(own_mesh: Mesh) -> None:
    with Load(own_mesh) as load:
        time.sleep(1)
        service_process(own_mesh).terminate()
        time.sleep(6)

    assert load.cut == []
    assert {answer.status for answer in load.answers} <= {200, 503}
    assert load.answers[-1].status == 200, "the service is back"
    for answer in load.answers:
        if answer.status == 503:
            assert answer.headers["retry-after"]
            assert answer.json["error"]["type"] == "server_error"


def test_kill_of_the_service_is_told_in_shape_and_mended_within_seconds(own_mesh: Mesh) -> None:
    with Load(own_mesh) as load:
        time.sleep(1)
        service_process(own_mesh).kill()
        killed = time.monotonic()
        while own_mesh.post("/v1/embeddings", BODY.encode()).status != 200:
            assert time.monotonic() - killed < 20, "the service did not come back"
            time.sleep(0.1)

    # Nobody can finish an answer that was on its way: such a caller sees its connection end.
    assert len(load.cut) <= CALLERS
    for answer in load.answers:
        if answer.status != 200:
            assert answer.status == 503
            assert set(answer.json["error"]) == {"message", "type", "param", "code"}


def test_a_second_mesh_on_the_same_ports_names_the_busy_one(mesh: Mesh) -> None:
    second = subprocess.run(
        [
            sys.executable,
            "-m",
            "console",
            "up",
            "--config",
            str(mesh.log.parent / "switchboard.toml"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert second.returncode == 1
    assert f"{mesh.port}" in second.stderr + second.stdout
    assert "gateway.port" in second.stderr + second.stdout
    assert mesh.ask("GET", "/v1/models").status == 200


def test_ctrl_c_ends_everything(own_mesh: Mesh) -> None:
    family = psutil.Process(own_mesh.process.pid).children(recursive=True)
    assert len(family) >= 3

    own_mesh.process.send_signal(2)

    assert own_mesh.process.wait(40) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
