"""Several models in one service: loaded and unloaded while it runs, under one limit of memory."""

import asyncio
import subprocess
import sys
import time

import grpc
import psutil
import pytest
from switchboard.embeddings.v1 import embeddings_pb2 as wire
from switchboard.embeddings.v1 import embeddings_pb2_grpc
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc

from tests.integration.harness import (
    PATIENCE_S,
    SERVING,
    GatedEncoder,
    openai_error,
    play,
    refusal,
    serving,
    tiny,
    trailers,
    until,
)
from tests.integration.processes import ROOT, process
from tests.models.encoder import write_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("tiny"))


def graph_bytes(folder):
    return (folder / "onnx/model.onnx").stat().st_size


async def served(runtime):
    """Return the models of a service by id."""
    told = await runtime.ListServedModels(runtime_pb2.ListServedModelsRequest())
    return {model.id: model for model in told.models}


async def order(call, request_type, model):
    return (await call(request_type(model=model), timeout=PATIENCE_S)).model


def load(running, model):
    return order(running.runtime.LoadModel, runtime_pb2.LoadModelRequest, model)


def unload(running, model):
    return order(running.runtime.UnloadModel, runtime_pb2.UnloadModelRequest, model)


async def until_state(runtime, model, state):
    deadline_s = time.monotonic() + PATIENCE_S
    while (told := (await served(runtime))[model]).state != state:
        assert time.monotonic() < deadline_s, told
        await asyncio.sleep(0.005)
    return told


async def until_measured(running, model):
    """Wait until the size of a model to be loaded is known: from then on it waits for room."""
    place = running.models.find(model).place
    await until(lambda: place.need_bytes is not None and not place.at_work)


def test_a_service_of_models_on_demand_is_ready_and_the_first_call_has_its_model_loaded(folder):
    async def scenario():
        async with serving([tiny(folder, load="demand", aliases=("alias",))]) as running:
            readiness = await running.health("readiness")
            before = (await served(running.runtime))["tiny"]
            typed = await refusal(running.embed("a", model="alias"))
            rest = await refusal(running.post({"model": "tiny", "input": "a"}))
            after = await until_state(running.runtime, "tiny", "ready")
            return readiness, before, (typed, rest), after, await running.embed("a")

    readiness, before, refused, after, answer = play(scenario)

    assert readiness == SERVING
    assert (before.state, before.memory_bytes, before.provider) == ("unloaded", 0, "")
    for error in refused:
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert openai_error(error)["code"] == "model_loading"
        assert trailers(error)["retry-after"] == "5"
    assert after.memory_bytes == graph_bytes(folder)
    assert len(answer.embeddings) == 1


def test_the_model_that_was_used_longest_ago_makes_room(folder):
    names = ("one", "two", "three")

    async def scenario():
        models = [tiny(folder, name, load="demand") for name in names]
        limit = 2 * graph_bytes(folder)
        async with serving(models, memory_bytes=limit) as running:
            for name in ("one", "two"):
                await refusal(running.embed("a", model=name))
                await until_state(running.runtime, name, "ready")
            for name in ("two", "one"):
                await running.embed("a", model=name)
            await refusal(running.embed("a", model="three"))
            await until_state(running.runtime, "three", "ready")
            return await served(running.runtime)

    models = play(scenario)

    assert [models[name].state for name in names] == ["ready", "unloaded", "ready"]


def test_a_call_in_flight_is_never_cut_off_by_a_model_that_wants_its_room(folder):
    limit = graph_bytes(folder)
    engine = GatedEncoder(limit)

    async def scenario():
        models = [tiny(folder), tiny(folder, "other")]
        async with serving(models, load=engine.load, memory_bytes=limit) as running:
            runs = running.embed("a")
            await until(lambda: engine.batches)
            await load(running, "other")
            await until_measured(running, "other")
            during = await served(running.runtime)
            await unload(running, "tiny")
            leaving = (await served(running.runtime))["tiny"]
            refused = await refusal(running.embed("a"))
            engine.gate.set()
            answer = await runs
            await until_state(running.runtime, "other", "ready")
            return during, leaving, refused, answer, (await served(running.runtime))["tiny"]

    during, leaving, refused, answer, after = play(scenario)

    assert (during["tiny"].state, during["other"].state) == ("ready", "loading")
    assert during["other"].detail == "Waits for its turn, and for room."
    assert (leaving.state, leaving.detail) == (
        "unloading",
        "Calls in flight that it waits for: 1.",
    )
    assert openai_error(refused)["code"] == "model_unloaded"
    assert len(answer.embeddings) == 1
    assert after.state == "unloaded"


def test_a_model_is_unloaded_and_loaded_by_hand(folder):
    async def scenario():
        async with serving([tiny(folder, aliases=("alias",))]) as running:
            told = await unload(running, "alias")
            await until_state(running.runtime, "tiny", "unloaded")
            refused = await refusal(running.embed("a"))
            unknown = await refusal(unload(running, "nobody"))
            again = await load(running, "tiny")
            await until_state(running.runtime, "tiny", "ready")
            return told, refused, unknown, again, await running.embed("a")

    told, refused, unknown, again, answer = play(scenario)

    assert (told.id, told.state) == ("tiny", "unloading")
    assert openai_error(refused)["code"] == "model_unloaded"
    assert trailers(refused)["retry-after"] == "30"
    assert unknown.code() is grpc.StatusCode.NOT_FOUND
    assert again.state == "loading"
    assert len(answer.embeddings) == 1


def test_callers_that_go_away_at_any_moment_leave_no_model_in_use(folder, seeded):
    async def scenario():
        async with serving([tiny(folder)]) as running:
            place = running.models.entries[0].place
            for _ in range(60):
                call = running.embed("abc" * seeded.randint(1, 40))
                await asyncio.sleep(seeded.random() * 0.004)
                call.cancel()
            await until(lambda: not place.users)
            return place.users

    assert play(scenario) == 0


def settings_of(folder, port, *models, **more):
    lines = ["[embeddings]", f"port = {port}", "metrics_port = 0", "threads = 1", "workers = 1"]
    lines += [f"{name} = {value}" for name, value in more.items()]
    for name, load in models:
        lines += ["[[embeddings.models]]", f'id = "{name}"', 'folder = "model"', 'provider = "cpu"']
        lines += [f'load = "{load}"', f'aliases = ["{name}-alias"]']
    path = folder / "switchboard.toml"
    path.write_text("\n".join(lines))
    return path


def console(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "console", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_the_console_loads_and_unloads_models_of_a_running_service(tmp_path, free_port):
    model = write_encoder(tmp_path / "model")
    config = settings_of(
        tmp_path,
        free_port,
        ("one", "start"),
        ("two", "demand"),
        memory_bytes=graph_bytes(model),
    )

    def models(*words):
        return asyncio.to_thread(console, "models", *words, "--config", str(config))

    async def scenario():
        async with process(config, free_port) as (_, channel):
            runtime = runtime_pb2_grpc.RuntimeServiceStub(channel)
            loaded = await models("load", "two-alias")
            states = {name: each.state for name, each in (await served(runtime)).items()}
            unloaded = await models("unload", "one")
            again = await models("load", "one")
            return loaded, states, unloaded, again

    loaded, states, unloaded, again = play(scenario)

    assert loaded.returncode == unloaded.returncode == again.returncode == 0
    assert loaded.stdout.startswith("two is ready after ")
    assert loaded.stdout.endswith(" 1 MiB on cpu\n")
    assert states == {"one": "unloaded", "two": "ready"}
    assert unloaded.stdout == (
        "one is unloaded: Unloaded by hand; `switchboard models load one` loads it.\n"
    )


def test_memory_comes_back_after_every_model(tmp_path, free_port):
    """Six times a model of 40 MB, used each time: kept, they would take 240 MB."""
    model = write_encoder(tmp_path / "model", width=1024, layers=10)
    config = settings_of(tmp_path, free_port, ("large", "demand"))
    assert graph_bytes(model) > 40e6

    async def scenario():
        async with process(config, free_port) as (running, channel):
            runtime = runtime_pb2_grpc.RuntimeServiceStub(channel)
            embeddings = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)
            resident = psutil.Process(running.pid)
            held = [resident.memory_info().rss]
            for _ in range(6):
                await runtime.LoadModel(runtime_pb2.LoadModelRequest(model="large"))
                await until_state(runtime, "large", "ready")
                await embeddings.CreateEmbeddings(
                    wire.CreateEmbeddingsRequest(model="large", texts={"values": ["abc"] * 64})
                )
                await runtime.UnloadModel(runtime_pb2.UnloadModelRequest(model="large"))
                await until_state(runtime, "large", "unloaded")
                held.append(resident.memory_info().rss)
            return held

    before, *after = play(scenario)

    assert min(after[-3:]) - before < 80e6


def test_files_that_are_replaced_while_a_model_is_out_are_served_when_it_is_back(tmp_path):
    write_encoder(tmp_path, width=8)

    async def scenario():
        async with serving([tiny(tmp_path)]) as running:
            await unload(running, "tiny")
            await until_state(running.runtime, "tiny", "unloaded")
            write_encoder(tmp_path, width=16)
            await load(running, "tiny")
            return await until_state(running.runtime, "tiny", "ready")

    assert play(scenario).dimensions == 16
