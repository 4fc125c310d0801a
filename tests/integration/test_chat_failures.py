"""What breaks in or beneath the chat service is told to those whom it concerns, and no others."""

import asyncio
import gc
import json
import re
import weakref

import grpc
import numpy as np
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc

from tests.integration.chat_harness import ENDLESS, LONG, hosting, tiny
from tests.integration.harness import until
from tests.models.chat_folder import SHAPE, chat_tokenizer, write_chat_model
from tests.models.decoder import random_weights
from tests.models.decoder_folder import write_decoder

POISON = "~"
"""Once a text holds it, the model `poisoned` computes no finite numbers."""
DETAIL = "The server had an error while processing the request. Its log tells more."


def poison(folder):
    tokenizer = chat_tokenizer()
    weights = random_weights(SHAPE)
    weights["embed"][tokenizer.token_to_id(POISON)] = np.nan
    write_decoder(folder, SHAPE, weights, eos=(tokenizer.token_to_id("<|im_end|>"),))
    return folder


def truncate(path):
    path.write_bytes(path.read_bytes()[:1000])


BROKEN = {
    "no-graph": lambda folder: (folder / "onnx/model.onnx").unlink(),
    "half-a-graph": lambda folder: truncate(folder / "onnx/model.onnx"),
    "no-tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "half-a-tokenizer": lambda folder: truncate(folder / "tokenizer.json"),
    "no-config": lambda folder: (folder / "config.json").unlink(),
    "another-config": lambda folder: (folder / "config.json").write_text(
        '{"num_hidden_layers": 9}'
    ),
    "no-template": lambda folder: (folder / "chat_template.jinja").write_text("{% if %}"),
    "no-folder": lambda folder: folder.rename(folder.with_name("elsewhere")),
}
"""What is wrong with a folder."""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("failures")
    models = [
        tiny(write_chat_model(folder / "tiny", shape=LONG)),
        tiny(poison(write_chat_model(folder / "poisoned")), "poisoned"),
    ]
    for name, harm in BROKEN.items():
        broken = write_chat_model(folder / name)
        harm(broken)
        models.append(tiny(broken, name))
    with hosting(models) as hosted:
        yield hosted


def said(text):
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_keeps_no_other_model_from_being_served(service, name):
    async def scenario(running):
        refused = await running.refusal(model=name)
        return refused, running.models.find(name).detail, await running.post(max_tokens=3)

    refused, detail, good = service.play(scenario)

    assert (refused["status"], refused["code"]) == ("UNAVAILABLE", "model_failed")
    assert name in refused["message"]
    assert "/" not in refused["message"], "where things are on the server is nobody's business"
    assert name in detail
    assert not re.match(r"\w+Error: ", detail), "what is wrong is told in words"
    assert good.json["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("stream", [False, True])
def test_numbers_that_are_none_are_the_failure_of_one_caller(service, stream):
    async def scenario(running):
        bad = asyncio.create_task(
            running.refusal(model="poisoned", messages=said(f"a{POISON}b"), stream=stream)
        )
        good = [running.post(model="poisoned", seed=n, max_tokens=30) for n in range(7)]
        answers = await asyncio.gather(*good)
        alone = [await running.post(model="poisoned", seed=n, max_tokens=30) for n in range(7)]
        await running.until_empty("poisoned")
        return await bad, [told.text for told in answers], [told.text for told in alone]

    bad, answers, alone = service.play(scenario)

    assert bad == {
        "status": "INTERNAL",
        "message": DETAIL,
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert answers == alone


def test_a_stream_that_fails_tells_it_and_ends(service):
    good = "a b " * 100

    async def scenario(running):
        told = await running.post(model="poisoned", choice=[f"{good}{POISON}b"], stream=True)
        await running.until_empty("poisoned")
        return told

    told = service.play(scenario)

    *events, last = told.events
    text = "".join(choice["delta"].get("content", "") for e in events for choice in e["choices"])
    assert text
    assert f"{good}{POISON}".startswith(text)
    assert last == {
        "error": {"message": DETAIL, "type": "server_error", "param": None, "code": None}
    }
    assert b"[DONE]" not in told.body


@pytest.mark.parametrize(
    "fields",
    [
        {"echo": True, "max_tokens": 0, "logprobs": 2},
        {"best_of": 3, "max_tokens": 5},
        {"n": 3, "max_tokens": 5},
        {"prompt": ["good", f"a{POISON}"], "max_tokens": 5},
    ],
)
def test_one_answer_that_fails_fails_its_request(service, fields):
    async def scenario(running):
        asked = {"prompt": f"a{POISON}b", **fields}
        told = await running.refusal(model="poisoned", path="completions", **asked)
        await running.until_empty("poisoned")
        return told, await running.post(model="poisoned", path="completions", max_tokens=3)

    refused, after = service.play(scenario)

    assert refused["status"] == "INTERNAL"
    assert after.json["usage"]["completion_tokens"] <= 3


def test_a_slot_whose_numbers_were_none_is_not_shared(service):
    async def scenario(running):
        await running.refusal(model="poisoned", messages=said(f"the same beginning {POISON}"))
        return await running.post(
            model="poisoned", messages=said("the same beginning"), max_tokens=1
        )

    usage = service.play(scenario).json["usage"]

    # Only what an earlier good request left may be found again.
    assert usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]
    assert usage["completion_tokens"] == 1


def test_a_failed_answer_is_in_the_log_without_what_was_said(service):
    async def scenario(running):
        await running.refusal(model="poisoned", messages=said(f"secret {POISON}"))

    with capture_logs() as lines:
        service.play(scenario)

    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert line["model"] == "poisoned"
    assert "secret" not in json.dumps(lines)


def test_a_model_that_is_unloaded_lets_its_callers_finish_and_leaves_nothing(tmp_path):
    async def scenario(running):
        runtime = runtime_pb2_grpc.RuntimeServiceStub(running.channel)
        entry = running.models.find("gone")
        model = weakref.ref(entry.served)
        engine = weakref.ref(running.engine("gone"))
        runner = weakref.ref(running.engine("gone")._runner)
        call = running.ask(model="gone", stream=True, max_tokens=1500, **ENDLESS)
        await call.read()

        await runtime.UnloadModel(runtime_pb2.UnloadModelRequest(model="gone"))
        refused = await running.refusal(model="gone")
        last = None
        while (message := await call.read()) is not grpc.aio.EOF:
            last = message.data
        await until(lambda: entry.state == "unloaded")
        gc.collect()
        return refused, last, [each() for each in (model, engine, runner)]

    folder = write_chat_model(tmp_path / "gone", shape=LONG)
    with hosting([tiny(folder, "gone")]) as service:
        refused, last, left = service.play(scenario)
        metrics = [
            REGISTRY.get_sample_value(name, {"model": "gone"})
            for name in (
                "switchboard_slots",
                "switchboard_slots_busy",
                "switchboard_num_requests_waiting",
                "switchboard_model_memory_bytes",
                "switchboard_model_loaded",
            )
        ]

    assert (refused["status"], refused["code"]) == ("UNAVAILABLE", "model_unloaded")
    assert last.endswith(b"data: [DONE]\n\n")
    assert left == [None, None, None]
    assert metrics == [0, 0, 0, 0, 0]


def test_a_drain_lets_streams_finish_and_refuses_new_calls(tmp_path):
    async def scenario(running):
        call = running.ask(stream=True, max_tokens=1500, **ENDLESS)
        parts = [(await call.read()).data]
        draining = asyncio.create_task(running.server.drain(0, 30))
        await until(lambda: running.server._calls.draining)
        refused = await running.refusal(max_tokens=1)
        while (message := await call.read()) is not grpc.aio.EOF:
            parts.append(message.data)
        await draining
        return refused, parts

    with hosting([tiny(write_chat_model(tmp_path, shape=LONG))]) as service:
        refused, parts = service.play(scenario)

    assert (refused["status"], refused["code"]) == ("UNAVAILABLE", "draining")
    assert parts[-1].endswith(b"data: [DONE]\n\n")
