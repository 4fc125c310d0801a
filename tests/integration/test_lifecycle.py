"""The life of a server: health, loading, overload, callers that go away, the drain."""

import asyncio
import threading

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs
from switchboard.embeddings.v1 import embeddings_pb2 as wire
from switchboard.embeddings.v1 import embeddings_pb2_grpc
from switchboard.runtime.v1 import runtime_pb2

from services.embeddings.models import load_model
from services.runtime.config import ServiceSettings
from services.runtime.registry import Description
from services.runtime.server import Door, create_server
from tests.integration.harness import (
    NOT_SERVING,
    PATIENCE_S,
    REST,
    SERVING,
    TYPED,
    GatedEncoder,
    openai_error,
    play,
    refusal,
    serving,
    tiny,
    trailers,
    until,
)
from tests.models.encoder import write_encoder

READY_NAMES = ("readiness", TYPED, REST, "switchboard.runtime.v1.RuntimeService")


@pytest.fixture
def engine():
    encoder = GatedEncoder()
    yield encoder
    encoder.gate.set()


@pytest.fixture
def with_gate(tmp_path, engine):
    """Play a scenario against a service whose engine answers when the test says so."""

    def run(scenario, **limits):
        async def whole():
            def load(settings):
                return engine.load(settings, **limits)

            async with serving([tiny(tmp_path)], load=load) as running:
                try:
                    return await scenario(running)
                finally:
                    engine.gate.set()

        return play(whole)

    return run


def test_a_service_lives_at_once_and_is_ready_once_a_model_is(tmp_path):
    write_encoder(tmp_path)

    async def scenario():
        async with serving([tiny(tmp_path)], wait=False) as running:
            names = ("", "liveness", *READY_NAMES)
            before = [await running.health(name) for name in names]
            loading = await refusal(running.embed("a"))
            unknown = await refusal(running.health("nobody"))
            await running.load_models()
            return before, loading, unknown, [await running.health(name) for name in names]

    before, loading, unknown, after = play(scenario)

    assert before == [SERVING] * 2 + [NOT_SERVING] * len(READY_NAMES)
    assert after == [SERVING] * len(after)
    assert loading.code() is grpc.StatusCode.UNAVAILABLE
    assert openai_error(loading)["code"] == "model_loading"
    assert unknown.code() is grpc.StatusCode.NOT_FOUND


def test_a_watcher_of_the_health_sees_a_service_come_and_go(tmp_path):
    write_encoder(tmp_path)

    async def scenario():
        async with serving([tiny(tmp_path)], wait=False) as running:
            stub = health_pb2_grpc.HealthStub(running.channel)
            watch = stub.Watch(health_pb2.HealthCheckRequest(service=TYPED))
            seen = [(await watch.read()).status]
            await running.load_models()
            seen.append((await watch.read()).status)
            drain = asyncio.create_task(running.server.drain(0.05, PATIENCE_S))
            seen.append((await watch.read()).status)
            await drain
            return seen

    assert play(scenario) == [NOT_SERVING, SERVING, NOT_SERVING]


def test_reflection_lists_every_service(tmp_path):
    async def scenario():
        async with serving([tiny(tmp_path)], wait=False) as running:
            stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            call = stub.ServerReflectionInfo(iter([request]), timeout=PATIENCE_S)
            answer = await call.read()
            return {service.name for service in answer.list_services_response.service}

    names = play(scenario)

    assert names >= {TYPED, REST, "switchboard.runtime.v1.RuntimeService", "grpc.health.v1.Health"}


def test_a_broken_folder_stands_beside_a_good_one_and_says_what_is_wrong(tmp_path):
    good = write_encoder(tmp_path / "good")
    broken = write_encoder(tmp_path / "broken")
    (broken / "onnx/model.onnx").write_bytes(b"broken")
    wrong = write_encoder(tmp_path / "wrong")
    (wrong / "modules.json").write_text('[{"type": "x.Dense"}]')

    async def scenario():
        models = [tiny(broken, "broken"), tiny(wrong, "wrong"), tiny(good)]
        async with serving(models) as running:
            told = await running.runtime.ListServedModels(runtime_pb2.ListServedModelsRequest())
            failed = await refusal(running.embed("a", model="broken"))
            answer = await running.embed("a")
            return told.models, failed, answer, await running.health("readiness")

    models, failed, answer, readiness = play(scenario)

    assert [model.state for model in models] == ["failed", "failed", "ready"]
    assert "model.onnx: ONNX Runtime cannot load it" in models[0].detail
    assert "the module 'Dense' cannot be served" in models[1].detail
    assert (models[2].detail, models[2].provider, models[2].dimensions) == ("", "cpu", 8)
    assert models[2].context_length == 48
    assert models[2].created > 1_600_000_000
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    assert openai_error(failed)["code"] == "model_failed"
    assert str(tmp_path) not in failed.details()
    assert len(answer.embeddings) == 1
    assert readiness == SERVING


def test_a_graph_that_loads_and_cannot_run_is_a_failed_model(tmp_path):
    folder = write_encoder(tmp_path, config={"pad_token_id": 10_000})

    async def scenario():
        async with serving([tiny(folder)]) as running:
            told = await running.runtime.ListServedModels(runtime_pb2.ListServedModelsRequest())
            return told.models[0].state, told.models[0].detail

    state, detail = play(scenario)

    assert state == "failed"
    assert "model.onnx: a run with one token fails" in detail


def test_a_caller_that_goes_away_leaves_an_empty_queue(with_gate, engine):
    async def scenario(running):
        runs = running.embed("a")
        await until(lambda: engine.batches)
        waits = [running.embed("bb"), running.embed("ccc")]
        await until(lambda: running.queue().waiting_requests == 2)
        for call in waits:
            call.cancel()
        await until(lambda: running.queue().waiting_requests == 0)
        tokens = running.queue().waiting_tokens
        engine.gate.set()
        answer = await runs
        await until(lambda: running.calls._running == 0)
        return tokens, answer

    tokens, answer = with_gate(scenario)

    assert tokens == 0
    assert len(answer.embeddings) == 1
    assert len(engine.batches) == 1


def test_a_deadline_takes_a_call_out_of_the_queue(with_gate, engine):
    async def scenario(running):
        runs = running.embed("a")
        await until(lambda: engine.batches)
        request = wire.CreateEmbeddingsRequest(model="tiny", texts={"values": ["b"]})
        late = await refusal(running.typed.CreateEmbeddings(request, timeout=0.1))
        await until(lambda: running.queue().waiting_requests == 0)
        engine.gate.set()
        await runs
        return late

    assert with_gate(scenario).code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("door", ["typed", "rest"])
def test_the_read_timeout_of_an_sdk_counts_until_the_first_byte(with_gate, engine, door):
    async def scenario(running):
        runs = running.embed("a")
        await until(lambda: engine.batches)
        wishes = {"x_stainless_read_timeout": "0.1"}
        body = {"model": "tiny", "input": "b"}
        call = running.post(body, **wishes) if door == "rest" else running.embed("b", **wishes)
        late = await refusal(call)
        waiting = running.queue().waiting_requests
        engine.gate.set()
        await runs
        return late, waiting

    late, waiting = with_gate(scenario)

    assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert openai_error(late)["code"] == "timeout"
    assert "within 0.1 s" in openai_error(late)["message"]
    assert waiting == 0


def test_a_full_queue_says_when_to_come_again(with_gate, engine):
    async def scenario(running):
        first = running.embed("a")
        await until(lambda: engine.batches)
        second = running.embed("b")
        await until(lambda: running.queue().waiting_requests == 1)
        refused = [
            await refusal(running.embed("c")),
            await refusal(running.post({"model": "tiny", "input": "c"})),
        ]
        engine.gate.set()
        return refused, await first, await second

    refused, *answers = with_gate(scenario, waiting_requests=1)

    for error in refused:
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert openai_error(error)["code"] == "overloaded"
        assert 1 <= int(trailers(error)["retry-after"]) <= 120
    assert all(len(answer.embeddings) == 1 for answer in answers)


def test_a_service_with_too_many_calls_refuses_more_and_still_says_that_it_lives(tmp_path, engine):
    async def scenario():
        async with serving([tiny(tmp_path)], load=engine.load, max_concurrent_rpcs=3) as running:
            calls = [running.embed(text) for text in ("aaa", "bbb", "ccc")]
            await until(lambda: running.calls._running == 3)
            refused = await refusal(running.embed("d"))
            health = [await running.health(name) for name in ("", "readiness")]
            engine.gate.set()
            await asyncio.gather(*calls)
            return refused, health, await running.embed("d")

    refused, health, after = play(scenario)

    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert openai_error(refused)["code"] == "overloaded"
    assert trailers(refused)["retry-after"] == "1"
    assert health == [SERVING, SERVING]
    assert len(after.embeddings) == 1


def test_a_key_with_many_requests_does_not_hold_up_another(with_gate, engine):
    async def scenario(running):
        many = [running.embed("abcde", x_switchboard_key="many") for _ in range(20)]
        await until(lambda: running.queue().waiting_requests == 19)
        one = running.embed("edcba", x_switchboard_key="one")
        await until(lambda: running.queue().waiting_requests == 20)
        engine.gate.set()
        await asyncio.gather(one, *many)

    with_gate(scenario)

    encoded = [[list(ids) for ids in batch] for batch in engine.batches]
    [place] = [place for place, batch in enumerate(encoded) if batch != encoded[0]]
    assert len(encoded) == 21
    assert place + 1 < 10


def test_a_drain_lets_a_call_finish_and_refuses_a_new_one(with_gate, engine):
    async def scenario(running):
        runs = running.embed("a")
        await until(lambda: engine.batches)
        drain = asyncio.create_task(running.server.drain(0, PATIENCE_S))
        await until(lambda: running.calls.draining)
        refused = await refusal(running.embed("b"))
        readiness = await running.health("readiness")
        liveness = await running.health("liveness")
        engine.gate.set()
        answer = await runs
        await drain
        return refused, readiness, liveness, answer

    refused, readiness, liveness, answer = with_gate(scenario)

    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert openai_error(refused)["code"] == "draining"
    assert trailers(refused)["retry-after"] == "1"
    assert (readiness, liveness) == (NOT_SERVING, SERVING)
    assert len(answer.embeddings) == 1


def test_calls_are_still_taken_while_the_others_notice_a_drain(with_gate, engine):
    """And a model that has just been loaded does not make the service ready again."""
    engine.gate.set()

    async def scenario(running):
        drain = asyncio.create_task(running.server.drain(0.2, PATIENCE_S))
        await asyncio.sleep(0.02)
        await running.server.set_ready(True)
        readiness = await running.health("readiness")
        answer = await running.embed("a")
        await drain
        return readiness, answer

    readiness, answer = with_gate(scenario)

    assert readiness == NOT_SERVING
    assert len(answer.embeddings) == 1


def test_a_call_that_outlasts_the_grace_is_cut(with_gate, engine):
    async def scenario(running):
        runs = running.embed("a")
        await until(lambda: engine.batches)
        await running.server.drain(0, 0.05)
        return await refusal(runs)

    with capture_logs() as lines:
        error = with_gate(scenario)

    assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert "calls were still running after the grace period" in [line["event"] for line in lines]


class Exploding:
    """A served model that nobody expected."""

    description = Description("cpu", 0)

    def __init__(self, error):
        self._error = error

    def is_alive(self):
        return True

    async def embed(self, request, *, key):
        raise self._error


@pytest.mark.parametrize(
    "error", [RuntimeError("secret of the server"), TimeoutError("secret"), KeyError("secret")]
)
def test_what_nobody_expected_is_told_without_detail_and_logged(tmp_path, error):
    async def scenario():
        async with serving([tiny(tmp_path)], load=lambda _: Exploding(error)) as running:
            typed = await refusal(running.embed("a"))
            rest = await refusal(running.post({"model": "tiny", "input": "a"}))
            return typed, rest, running.calls._running

    with capture_logs() as lines:
        *errors, still_running = play(scenario)

    assert still_running == 0
    for told in errors:
        assert told.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in told.details()
        assert openai_error(told)["type"] == "server_error"
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["call failed"] * 2


class Streaming(embeddings_pb2_grpc.EmbeddingsRestServicer):
    """Answers with messages as the test wishes; tells when it was closed."""

    def __init__(self):
        self.closed = threading.Event()
        self.sent_bytes = 0

    async def CreateEmbeddings(self, request, context):  # noqa: N802 - the name in the proto
        try:
            if request.data == b"nothing":
                return
            yield HttpBody(data=b"first")
            if request.data == b"fails":
                raise RuntimeError("secret")
            while request.data == b"endless":
                yield HttpBody(data=b"x" * 100_000)
                self.sent_bytes += 100_000
        finally:
            self.closed.set()


def stream(body, read):
    """Return what `read` makes of a call to a streaming door, once nothing of it is left."""

    async def scenario():
        servicer = Streaming()
        door = Door(
            REST,
            lambda s: embeddings_pb2_grpc.add_EmbeddingsRestServicer_to_server(servicer, s),
        )
        server, port = create_server(ServiceSettings(), [door])
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = embeddings_pb2_grpc.EmbeddingsRestStub(channel)
            call = stub.CreateEmbeddings(HttpBody(data=body), timeout=PATIENCE_S)
            result = await read(call, servicer)
            await until(lambda: servicer.closed.is_set() and not server._calls._running)
            await server.drain(0, PATIENCE_S)
        return result

    return play(scenario)


def test_a_reader_that_leaves_a_stream_ends_it():
    async def read(call, _):
        first = await call.read()
        call.cancel()
        return first.data

    assert stream(b"endless", read) == b"first"


def test_a_slow_reader_stops_the_writer():
    async def read(call, servicer):
        await until(lambda: servicer.sent_bytes)
        await asyncio.sleep(0.2)
        before = servicer.sent_bytes
        await asyncio.sleep(0.1)
        after = servicer.sent_bytes
        call.cancel()
        return before, after

    before, after = stream(b"endless", read)

    assert before == after < 32 * 2**20


def test_an_error_behind_the_first_message_ends_the_stream_with_a_status():
    async def read(call, _):
        first = await call.read()
        return first.data, await refusal(call.read())

    first, error = stream(b"fails", read)

    assert first == b"first"
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()


def test_a_stream_may_be_empty():
    async def read(call, _):
        return [message async for message in call]

    assert stream(b"nothing", read) == []


def test_a_taken_port_is_an_os_error(free_port):
    async def scenario():
        settings = ServiceSettings(port=free_port)
        server, _ = create_server(settings, [])
        await server.start()
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{free_port}"):
            create_server(settings, [])
        await server.drain(0, 0)

    play(scenario)


def test_a_model_that_loads_slowly_does_not_hold_up_the_others(tmp_path):
    write_encoder(tmp_path)
    gate = threading.Event()

    async def scenario():
        def load(settings):
            if settings.id == "slow":
                assert gate.wait(PATIENCE_S)
            return load_model(settings, running.section)

        models = [tiny(tmp_path), tiny(tmp_path, "slow")]
        async with serving(models, load=load, wait=False) as running:
            loading = asyncio.create_task(running.load_models())
            try:
                await until(running.models.is_ready)
                answer = await running.embed("a")
                slow = await refusal(running.embed("a", model="slow"))
            finally:
                gate.set()
            await loading
            return answer, slow, await running.embed("a", model="slow")

    answer, slow, after = play(scenario)

    assert len(answer.embeddings) == len(after.embeddings) == 1
    assert openai_error(slow)["code"] == "model_loading"


def test_a_drain_waits_while_calls_still_come_and_no_longer(tmp_path):
    write_encoder(tmp_path)

    async def scenario():
        async with serving([tiny(tmp_path)]) as running:
            drain = asyncio.create_task(running.server.drain(PATIENCE_S, PATIENCE_S))
            for _ in range(15):
                await running.embed("a")
                await asyncio.sleep(0.1)
            was_over = drain.done()
            await asyncio.wait_for(drain, PATIENCE_S / 2)
            return was_over

    assert play(scenario) is False
