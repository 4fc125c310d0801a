"""`python -m services.embeddings` as a process of its own."""

import asyncio
import contextlib
import json
import signal
import subprocess

import grpc
import numpy as np
import pytest
from switchboard.embeddings.v1 import embeddings_pb2 as wire
from switchboard.embeddings.v1 import embeddings_pb2_grpc

from tests.integration.harness import PATIENCE_S, play
from tests.integration.processes import ROOT, START, environment, process
from tests.models.encoder import write_encoder


def write_settings(folder, **more):
    section = {"port": 0, "metrics_port": 0, "threads": 1, "batch_tokens": 64, **more}
    lines = ["[embeddings]", *(f"{name} = {json.dumps(value)}" for name, value in section.items())]
    lines += ["[[embeddings.models]]", 'id = "tiny"', 'folder = "tiny"', 'provider = "cpu"']
    path = folder / "switchboard.toml"
    path.write_text("\n".join(lines))
    return path


def run_to_its_end(settings, **variables):
    return subprocess.run(
        START,
        cwd=ROOT,
        env=environment(settings, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_sigterm_loses_none_of_fifty_calls_in_flight(tmp_path, free_port):
    write_encoder(tmp_path / "tiny", width=96, layers=12)
    settings = write_settings(tmp_path, port=free_port)
    texts = [f"{place:02d}" + "abcdefgh" * 4 for place in range(16)]

    async def scenario():
        async with process(settings, free_port) as (running, channel):
            stub = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)
            large, small = (
                wire.CreateEmbeddingsRequest(model="tiny", texts={"values": values})
                for values in (texts, ["a"])
            )
            calls = [stub.CreateEmbeddings(large, timeout=PATIENCE_S) for _ in range(50)]
            await stub.CreateEmbeddings(small, timeout=PATIENCE_S)  # the others came before it
            running.send_signal(signal.SIGTERM)
            still_running = sum(not call.done() for call in calls)
            answers = await asyncio.gather(*calls)
            code = await asyncio.wait_for(running.wait(), PATIENCE_S)
            return still_running, answers, code, (await running.stdout.read()).decode()

    still_running, answers, code, out = play(scenario)

    vectors = np.array([[item.values for item in answer.embeddings] for answer in answers])
    lines = [json.loads(line) for line in out.splitlines()]
    assert still_running > 25
    assert vectors.shape == (50, 16, 96)
    assert np.ptp(vectors, axis=0).max() < 1e-5
    assert code == 0
    assert [line["event"] for line in lines] == ["listening", "model ready", "draining", "stopped"]
    assert all(line["service"] == "embeddings" for line in lines)


def test_a_second_signal_cuts_the_drain(tmp_path, free_port):
    write_encoder(tmp_path / "tiny")
    settings = write_settings(tmp_path, port=free_port, drain_delay_s=600.0)

    async def scenario():
        async with process(settings, free_port) as (running, channel):
            calling = asyncio.create_task(call_until_the_end(channel))
            running.send_signal(signal.SIGTERM)
            while b'"draining"' not in await running.stdout.readline():
                pass
            await asyncio.sleep(1)
            was_over = running.returncode is not None
            running.send_signal(signal.SIGINT)
            code = await asyncio.wait_for(running.wait(), PATIENCE_S)
            await calling
            return was_over, code

    assert play(scenario) == (False, 0)


async def call_until_the_end(channel):
    """Call again and again, so that a drain goes on waiting."""
    stub = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)
    request = wire.CreateEmbeddingsRequest(model="tiny", texts={"values": ["a"]})
    with contextlib.suppress(grpc.aio.AioRpcError):
        while True:
            await stub.CreateEmbeddings(request, timeout=PATIENCE_S)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SWITCHBOARD_EMBEDDINGS__PORT": "many"}, "SWITCHBOARD_EMBEDDINGS__PORT"),
        ({"SWITCHBOARD_CONFIG": "/nowhere/switchboard.toml"}, "/nowhere/switchboard.toml"),
    ],
)
def test_wrong_settings_end_the_start_and_name_the_value(tmp_path, variables, told):
    settings = write_settings(tmp_path)

    ended = run_to_its_end(settings, **variables)

    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("busy", ["port", "metrics_port"])
def test_a_busy_port_ends_the_start_and_is_named(tmp_path, taken_port, busy):
    settings = write_settings(tmp_path, **{busy: taken_port})

    ended = run_to_its_end(settings)

    (line,) = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 1
    assert line["event"] == "cannot start"
    assert str(taken_port) in line["problem"]
    assert "Traceback" not in ended.stderr
