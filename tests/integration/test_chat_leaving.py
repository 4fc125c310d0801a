"""Callers of the chat service who hang up, whose time is over, or who stop reading for a while."""

import asyncio

import grpc
import pytest
from switchboard.chat.v1 import chat_pb2 as wire

from tests.integration.chat_harness import ENDLESS, LONG, Told, hosting, tiny
from tests.integration.harness import refusal, trailers, until
from tests.models.chat_folder import write_chat_model

SLOTS = 8
NARROW = (("grpc.http2.bdp_probe", 0),)
"""A connection that takes 64 KiB ahead of its reader."""
TYPED_ENDLESS = wire.Generation(logit_bias={2: -100})


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    models = [tiny(write_chat_model(tmp_path_factory.mktemp("leaving"), shape=LONG), slots=SLOTS)]
    with hosting(models, waiting_requests=1000) as hosted:
        yield hosted


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_hangs_up_in_the_queue_leaves_it(service, stream):
    async def scenario(running):
        async with running.occupied(slots=SLOTS):
            call = running.ask(stream=stream)
            reading = asyncio.create_task(call.read())
            await until(lambda: running.engine().waiting == 1)
            call.cancel()
            await asyncio.wait({reading})
            await until(lambda: running.engine().waiting == 0)
            busy = running.busy()
        await running.until_empty()
        return busy

    assert service.play(scenario) == SLOTS


@pytest.mark.parametrize("choices", [1, 3, 20])
@pytest.mark.parametrize("events", [1, 20])
def test_a_caller_who_hangs_up_in_a_stream_frees_the_slots(service, events, choices):
    async def scenario(running):
        call = running.ask(stream=True, n=choices, **ENDLESS)
        for _ in range(events):
            await call.read()
        await until(lambda: running.busy() == min(choices, SLOTS))
        call.cancel()
        await running.until_empty()
        return running.busy()

    assert service.play(scenario) == 0


def test_a_caller_who_hangs_up_before_the_answer_is_there_frees_the_slot(service):
    async def scenario(running):
        call = running.ask(**ENDLESS)
        reading = asyncio.create_task(call.read())
        await until(lambda: running.busy() == 1)
        call.cancel()
        await asyncio.wait({reading})
        await running.until_empty()

    service.play(scenario)


@pytest.mark.parametrize("method", ["create", "stream"])
def test_a_program_that_cancels_its_call_frees_the_slot(service, method):
    async def scenario(running):
        call = getattr(running, method)(generation=TYPED_ENDLESS)
        if method == "stream":
            await call.read()
        await until(lambda: running.busy() == 1)
        call.cancel()
        await running.until_empty()

    service.play(scenario)


def test_a_connection_that_breaks_frees_all_its_slots(service):
    async def scenario(running):
        async with grpc.aio.insecure_channel(running.address) as channel:
            others = running.through(channel)
            calls = [others.ask(stream=True, **ENDLESS) for _ in range(12)]
            await until(lambda: running.served()._parts.thread.answers == len(calls))
            await until(lambda: running.busy() == SLOTS)
        await running.until_empty()

    service.play(scenario)


def test_a_caller_who_hangs_up_while_a_grammar_is_compiled_leaves_nothing_behind(service):
    properties = {f"p{n}": {"type": "integer"} for n in range(900)}
    body = {"response_format": {"type": "json_schema", "json_schema": {
        "name": "a", "schema": {"properties": properties}}}}  # fmt: skip

    async def scenario(running):
        for wait_s in (0, 0.001, 0.01, 0.05):
            call = running.ask(**body, max_tokens=3)
            reading = asyncio.create_task(call.read())
            await asyncio.sleep(wait_s)
            call.cancel()
            await asyncio.wait({reading})
        await running.until_empty()
        return await running.post(max_tokens=3)

    assert service.play(scenario).json["usage"]["completion_tokens"] <= 3


def test_callers_who_come_and_go_at_random_leave_nothing_behind(service, seeded):
    plans = [
        (
            {
                "stream": seeded.random() < 0.5,
                "n": seeded.choice((1, 1, 2, 5)),
                "seed": number,
                "max_tokens": seeded.choice((1, 5, 50, 400)),
                **seeded.choice(({}, {"regex": "[a-z ]+"}, {"logprobs": True}, {"stop": ["e"]})),
            },
            seeded.choice((None, None, 0, 1, 3)),
        )
        for number in range(120)
    ]

    async def visit(running, fields, patience):
        call = running.ask(**fields)
        reads = 0
        while patience is None or reads < patience:
            if await call.read() is grpc.aio.EOF:
                return "served"
            reads += 1
        call.cancel()
        return "left"

    async def scenario(running):
        ends = await asyncio.gather(*(visit(running, *plan) for plan in plans))
        await running.until_empty()
        again = await running.post(seed=1, max_tokens=50)
        alone = await running.post(seed=1, max_tokens=50)
        return ends, again.text == alone.text

    ends, is_alike = service.play(scenario)

    assert {"served", "left"} == set(ends)
    assert is_alike


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_whose_time_is_over_in_the_queue_is_told_and_dropped(service, stream):
    patience = (("x-stainless-read-timeout", "0.1"),)

    async def scenario(running):
        async with running.occupied(slots=SLOTS):
            told = await running.refusal(stream=stream, metadata=patience)
            await until(lambda: running.engine().waiting == 0)
            busy = running.busy()
        await running.until_empty()
        return told, busy

    told, busy = service.play(scenario)

    assert told["status"] == "DEADLINE_EXCEEDED"
    assert (told["type"], told["code"]) == ("server_error", "timeout")
    assert "0.1 s" in told["message"]
    assert busy == SLOTS


def test_an_answer_that_takes_longer_than_its_reader_waits_is_cut_but_a_stream_goes_on(service):
    patience = (("x-stainless-read-timeout", "0.3"),)

    async def scenario(running):
        whole = await running.refusal(metadata=patience, **ENDLESS)
        stream = await running.post(metadata=patience, stream=True, max_tokens=2500, **ENDLESS)
        await running.until_empty()
        return whole, stream.events[-1]["choices"][0]["finish_reason"]

    whole, finish = service.play(scenario)

    assert (whole["status"], whole["code"]) == ("DEADLINE_EXCEEDED", "timeout")
    assert finish == "length"


@pytest.mark.parametrize("patience", ["0", "-1", "nan", "inf", "soon", "1e308", ""])
def test_a_time_limit_that_is_none_is_not_there(service, patience):
    async def scenario(running):
        metadata = (("x-stainless-read-timeout", patience),)
        return await running.post(metadata=metadata, max_tokens=1)

    assert service.play(scenario).json["usage"]["completion_tokens"] == 1


def test_a_program_whose_deadline_is_over_frees_its_slot(service):
    async def scenario(running):
        request = wire.CreateChatCompletionRequest(
            model="tiny",
            conversation=wire.Conversation(messages=[_user()]),
            generation=TYPED_ENDLESS,
        )
        error = await refusal(running.typed.CreateChatCompletion(request, timeout=0.2))
        await running.until_empty()
        return error.code()

    assert service.play(scenario) is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_slow_reader_gets_everything_in_few_pieces_and_holds_nobody_up(service):
    answer = {"seed": 3, "max_tokens": 1000, "logprobs": True, "top_logprobs": 20, **ENDLESS}

    async def scenario(running):
        async with grpc.aio.insecure_channel(running.address, options=NARROW) as channel:
            call = running.through(channel).ask(stream=True, **answer)
            first = await call.read()
            for number in range(5):
                await running.post(seed=number, max_tokens=20)
            # The engine does not wait for readers.
            await until(lambda: running.engine().is_idle and not running.busy())
            parts = [first.data, *await _rest(call)]
        whole = await running.post(**answer)
        await running.until_empty()
        return parts, whole

    parts, whole = service.play(scenario)

    told = Told(b"".join(parts), "text/event-stream")
    assert told.text == whole.text
    assert len(parts) < 500
    logprobs = [choice["logprobs"] for event in told.events for choice in event["choices"]]
    tokens = [token["bytes"] for each in logprobs if each for token in each["content"]]
    assert tokens == [token["bytes"] for token in whole.json["choices"][0]["logprobs"]["content"]]


def test_refusals_say_when_to_come_back_only_where_that_helps(service):
    async def scenario(running):
        call = running.ask(n=0)
        return trailers(await refusal(call.read()))

    assert "retry-after" not in service.play(scenario)


def _user():
    part = wire.ContentPart(text="Hello")
    return wire.Message(user=wire.UserMessage(content=[part]))


async def _rest(call):
    """Return the data of all messages that are still to come."""
    data = []
    while (message := await call.read()) is not grpc.aio.EOF:
        data.append(message.data)
    return data
