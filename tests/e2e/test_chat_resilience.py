"""Chat completions under load, with callers who leave, and when the service dies."""

import asyncio
import http.client
import json
import socket
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psutil
import pytest

from tests.e2e.callers import Callers
from tests.mesh import Mesh, running_mesh
from tests.models.chat_folder import SHAPE, write_chat_model

CHAT = "/v1/chat/completions"
LONG = replace(SHAPE, context=8192)
"""A decoder whose answers may take seconds."""
ENDLESS = {"logit_bias": {"2": -100}}
"""Goes on to the end of the context: the token that ends answers never comes."""
SLOTS = 8
WAITING = 300
SECRET = "xyzzy-plugh"  # noqa: S105 - what callers say, which no log may hold
PATIENCE_S = 30.0


def table(folder: Any) -> str:
    model = write_chat_model(folder / "model", shape=LONG)
    return (
        f"waiting_requests = {WAITING}\n"
        f'[[chat.models]]\nid = "tiny"\nfolder = "{model}"\nslots = {SLOTS}\n'
    )


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A mesh that logs all it can."""
    folder = tmp_path_factory.mktemp("chat")
    with running_mesh(folder, "", gateway='\n[log]\nlevel = "debug"\n', chat=table(folder)) as mesh:
        yield mesh


@pytest.fixture
def own_mesh(tmp_path: Any) -> Iterator[Mesh]:
    """A mesh that a test may harm."""
    with running_mesh(tmp_path, "", chat=table(tmp_path)) as mesh:
        yield mesh


def service_process(mesh: Mesh) -> psutil.Process:
    """The process of the chat service."""
    children = psutil.Process(mesh.process.pid).children(recursive=True)
    return next(child for child in children if "services.chat" in child.cmdline())


def metric(mesh: Mesh, name: str) -> float:
    """The sum of a metric of the chat service over its labels."""
    url = f"http://127.0.0.1:{mesh.ports['chat-metrics']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def wait_for(mesh: Mesh, name: str, value: float) -> None:
    """Wait until a metric has a value."""
    deadline = time.monotonic() + PATIENCE_S
    while (seen := metric(mesh, name)) != value:
        assert time.monotonic() < deadline, f"{name} is {seen}, not {value}"
        time.sleep(0.01)


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": SECRET}], **fields}


class Caller:
    """A connection with one request on it."""

    def __init__(self, mesh: Mesh, *, window_bytes: int | None = None, **fields: Any) -> None:
        self._socket = socket.socket()
        if window_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(("127.0.0.1", mesh.port))
        data = json.dumps(body(**fields)).encode()
        head = (
            f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {SECRET}\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + data)
        self._response = http.client.HTTPResponse(self._socket)

    def read_event(self) -> bytes:
        """Return the next event of a stream; the first time after the head."""
        if self._response.headers is None:
            self._response.begin()
            assert self._response.status == 200
        event = self._response.readline()
        while event and not event.endswith(b"\n\n"):
            line = self._response.readline()
            if not line:
                break
            event += line
        return event

    def read_all(self) -> list[bytes]:
        """Return all events that are still to come."""
        events = []
        while event := self.read_event():
            events.append(event)
        return events

    def hang_up(self) -> None:
        self._response.close()
        self._socket.close()


@pytest.fixture
def call(mesh: Mesh) -> Iterator[Callable[..., Caller]]:
    """Sends requests, and hangs up after the test."""
    with ExitStack() as calls:

        def calling(**fields: Any) -> Caller:
            caller = Caller(mesh, **fields)
            calls.callback(caller.hang_up)
            return caller

        yield calling


@pytest.fixture
def crowd(mesh: Mesh, call: Callable[..., Caller]) -> Iterator[list[Caller]]:
    """Callers on all slots, who stay until the test is over."""
    callers = [call(stream=True, **ENDLESS) for _ in range(SLOTS)]
    for caller in callers:
        caller.read_event()
    yield callers
    for caller in callers:
        caller.hang_up()
    wait_for(mesh, "switchboard_num_requests_waiting", 0)
    wait_for(mesh, "switchboard_slots_busy", 0)


def text_of(events: list[bytes]) -> str:
    chunks = [json.loads(e.removeprefix(b"data: ")) for e in events if e.startswith(b"data: {")]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def test_five_hundred_callers_at_once_are_answered_or_told_to_come_again(mesh: Mesh) -> None:
    data = json.dumps(body(max_tokens=5, seed=1))
    head = f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(data)}\r\n\r\n"

    async def ask() -> tuple[int, str, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", mesh.port)
        writer.write((head + data).encode())
        told = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(told.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        answer = await reader.readexactly(length)
        writer.close()
        return int(told.split()[1]), told, answer

    async def ask_at_once() -> list[tuple[int, str, bytes]]:
        async with asyncio.timeout(120):
            return await asyncio.gather(*(ask() for _ in range(500)))

    before = service_process(mesh).memory_info().rss
    answers = asyncio.run(ask_at_once())

    statuses = Counter(status for status, _, _ in answers)
    assert set(statuses) <= {200, 429}, statuses
    assert statuses[200] >= SLOTS + WAITING
    for status, head, answer in answers:
        if status == 429:
            assert "retry-after: " in head
            assert json.loads(answer)["error"]["code"] == "overloaded"
    wait_for(mesh, "switchboard_slots_busy", 0)
    assert service_process(mesh).memory_info().rss - before < 100 * 2**20


@pytest.mark.parametrize("events", [0, 1, 30])
def test_a_caller_who_hangs_up_frees_the_slot(
    mesh: Mesh, call: Callable[..., Caller], events: int
) -> None:
    caller = call(stream=True, **ENDLESS)
    for _ in range(events):
        assert caller.read_event().startswith(b"data: {")
    wait_for(mesh, "switchboard_slots_busy", 1)
    cancelled = metric(mesh, "switchboard_request_cancelled_total")

    caller.hang_up()

    wait_for(mesh, "switchboard_slots_busy", 0)
    wait_for(mesh, "switchboard_request_cancelled_total", cancelled + 1)


@pytest.mark.usefixtures("crowd")
def test_a_caller_who_hangs_up_in_the_queue_leaves_it(
    mesh: Mesh, call: Callable[..., Caller]
) -> None:
    caller = call()
    wait_for(mesh, "switchboard_num_requests_waiting", 1)

    caller.hang_up()

    wait_for(mesh, "switchboard_num_requests_waiting", 0)
    assert metric(mesh, "switchboard_slots_busy") == SLOTS


@pytest.mark.usefixtures("crowd")
def test_a_caller_whose_time_is_over_in_the_queue_is_told_so(mesh: Mesh) -> None:
    answer = mesh.post(CHAT, body(), {"x-stainless-read-timeout": "0.2"})

    assert answer.status == 504
    assert (answer.error["type"], answer.error["code"]) == ("server_error", "timeout")


def test_a_slow_reader_holds_nobody_up_and_gets_everything(
    mesh: Mesh, call: Callable[..., Caller]
) -> None:
    asked = {"seed": 5, "max_tokens": 1500, **ENDLESS}
    service = service_process(mesh)
    before = service.memory_info().rss
    caller = call(window_bytes=4096, stream=True, logprobs=True, top_logprobs=20, **asked)
    first = caller.read_event()

    others = [mesh.post(CHAT, body(seed=seed, max_tokens=5)).status for seed in range(5)]
    wait_for(mesh, "switchboard_slots_busy", 0)
    grown = service.memory_info().rss - before
    events = [first, *caller.read_all()]

    assert others == [200] * 5
    assert events[-1] == b"data: [DONE]\n\n"
    whole = mesh.post(CHAT, body(**asked)).json
    assert text_of(events) == whole["choices"][0]["message"]["content"]
    assert grown < 100 * 2**20


def test_two_thousand_requests_leave_nothing_behind(mesh: Mesh) -> None:
    service = service_process(mesh)

    def ask(count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", mesh.port, timeout=PATIENCE_S)
        for number in range(count):
            fields = {"seed": number, "max_tokens": 2, "stream": number % 2 == 0}
            connection.request("POST", CHAT, json.dumps(body(**fields)))
            answer = connection.getresponse()
            assert answer.status == 200
            assert answer.read()
        connection.close()

    def ask_at_once(each: int) -> tuple[float, int, int]:
        threads = [threading.Thread(target=ask, args=(each,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(mesh, "switchboard_num_requests_running", 0)
        return service.memory_info().rss / 1024, service.num_threads(), service.num_fds()

    ask_at_once(100)
    kib, threads, files = ask_at_once(25)
    kib_after, threads_after, files_after = ask_at_once(475)

    assert metric(mesh, "switchboard_answers_total") >= 2000
    assert kib_after - kib < 8 * 1024, "4 KiB a request would be a leak"
    # A scrape of the metrics that is still open has a thread and a socket.
    assert threads_after <= threads + 5
    assert files_after <= files + 5
    assert metric(mesh, "switchboard_slots_busy") == 0


def test_no_log_of_a_service_holds_a_word_of_a_caller(mesh: Mesh) -> None:
    a_schema = {"type": "object", "properties": {SECRET: {"const": SECRET}}}
    a_tool = {"type": "function", "function": {"name": SECRET, "parameters": a_schema}}
    a_format = {"type": "json_schema", "json_schema": {"name": SECRET, "schema": a_schema}}
    asked = [
        body(tools=[a_tool], tool_choice="required", max_tokens=9),
        body(response_format=a_format, stop=[SECRET], max_tokens=9),
        body(regex=f"{SECRET}|a", user=SECRET, max_tokens=9),
        body(choice=[SECRET], chat_template_kwargs={SECRET: SECRET}, stream=True),
        body(model=SECRET),
        body(regex=f"({SECRET}"),
        body(temperature=SECRET),
        body(messages=[{"role": SECRET, "content": SECRET}]),
        body(messages=[{"role": "user", "content": SECRET * 10**5}]),
        f"{{{SECRET}".encode(),
    ]

    for each in asked:
        mesh.post(CHAT, each, {"authorization": f"Bearer {SECRET}", "cookie": SECRET})
    mesh.post("/v1/completions", {"model": "tiny", "prompt": SECRET, "echo": True, "max_tokens": 1})

    lines = mesh.log.read_text().splitlines()
    told = "\n".join(line for line in lines if not line.startswith("gateway"))
    assert '"call"' in told
    assert "INVALID_ARGUMENT" in told
    assert SECRET not in told


class Streams(Callers):
    """Callers who read one stream after the other."""

    def __init__(self, mesh: Mesh, callers: int, **fields: Any) -> None:
        super().__init__(callers)
        self.statuses = Counter[int]()
        self.ends = Counter[str]()
        """How streams ended: `done`, `error`, or `cut`."""
        self._mesh = mesh
        self._data = json.dumps(body(stream=True, **fields))

    def ask(self) -> None:
        """Read one stream to its end, or wait a little after a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", self._mesh.port, timeout=60)
        try:
            connection.request("POST", CHAT, self._data)
            answer = connection.getresponse()
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.ends[_end_of(answer.read())] += 1
            else:
                assert set(json.loads(answer.read())["error"]) >= {"message", "type"}
                self.stop.wait(0.1)
        except (OSError, http.client.HTTPException):
            self.ends["cut"] += 1
        finally:
            connection.close()


def _end_of(stream: bytes) -> str:
    if stream.endswith(b"data: [DONE]\n\n"):
        return "done"
    return "error" if b'data: {"error":' in stream else "cut"


def test_sigterm_lets_streams_finish_and_the_mesh_goes_on(own_mesh: Mesh) -> None:
    first = service_process(own_mesh).pid
    with Streams(own_mesh, 4, max_tokens=300, **ENDLESS) as streams:
        wait_for(own_mesh, "switchboard_slots_busy", 4)
        service_process(own_mesh).terminate()
        _until_served(own_mesh, first)

    assert set(streams.ends) == {"done"}
    assert set(streams.statuses) <= {200, 503}
    assert SECRET not in own_mesh.log.read_text()


def test_kill_of_the_service_cuts_streams_and_is_mended_within_seconds(own_mesh: Mesh) -> None:
    first = service_process(own_mesh).pid
    with Streams(own_mesh, 4, max_tokens=2000, **ENDLESS) as streams:
        wait_for(own_mesh, "switchboard_slots_busy", 4)
        time.sleep(0.3)
        service_process(own_mesh).kill()
        _until_served(own_mesh, first)

    # No stream whose service is gone ends as if it were whole.
    assert 1 <= streams.ends["cut"] + streams.ends["error"] <= 4
    assert set(streams.statuses) <= {200, 503}


def _until_served(mesh: Mesh, first: int) -> None:
    """Wait until another process than the first one answers."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert time.monotonic() < deadline, "the service did not come back"
        time.sleep(0.1)
        try:
            is_another = service_process(mesh).pid != first
        except (StopIteration, psutil.Error):
            continue
        if is_another and mesh.post(CHAT, body(max_tokens=1)).status == 200:
            return
