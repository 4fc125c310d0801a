"""The door around an answer: who is asked for whom, until when, at what cost."""

import asyncio
import time

import msgspec
import pytest
from google.api.httpbody_pb2 import HttpBody

from services.chat.rest import ChatRest
from services.runtime import calls
from services.runtime.calls import Call
from services.runtime.errors import InvalidRequestError, ModelNotFoundError, OverloadedError
from tests.unit.chat.rest.scripted import ScriptedModel, grown, post, told, visit

PATHS = ["chat", "completions"]
STREAMS = [False, True]


@pytest.fixture
def call():
    return Call("/a.B/C", "request-1", key="key-1")


@pytest.fixture
def model():
    return ScriptedModel([[grown("a")], [grown("b", finish="stop")]])


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("path", PATHS)
def test_a_model_is_asked_for_the_caller_and_given_back(model, call, path, stream):
    post(model, call, path=path, stream=stream)

    assert model.terms == [("key-1", None)]
    assert model.log == ["leased", "closed", "given back"]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("path", PATHS)
def test_usage_is_what_the_model_counted(model, call, path, stream):
    post(model, call, path=path, stream=stream)

    assert call.usage == {
        "model": "the-model",
        "input_tokens": 5,
        "cached_tokens": 2,
        "output_tokens": 7,
    }


def test_an_answer_told_at_once_has_to_be_there_before_the_caller_stops_reading(model, call):
    call.first_answer_within_s = 60.0

    post(model, call)

    ((_, deadline_s),) = model.terms
    assert 0 < deadline_s - time.monotonic() < 60


def test_a_stream_has_no_deadline(model, call):
    call.first_answer_within_s = 60.0

    post(model, call, stream=True)

    assert model.terms == [("key-1", None)]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("path", PATHS)
def test_a_full_queue_is_an_error_before_any_message(call, path, stream):
    model = ScriptedModel(refusal=OverloadedError("Full.", retry_after_s=1))

    with pytest.raises(OverloadedError):
        post(model, call, path=path, stream=stream)

    assert model.log == ["leased", "given back"]


def test_an_error_in_an_answer_told_at_once_is_no_answer(call):
    model = ScriptedModel([[grown("a")], OverloadedError("Full.", retry_after_s=1)])

    with pytest.raises(OverloadedError):
        post(model, call)

    assert call.usage is not None
    assert "closed" in model.log


def test_an_unknown_model_is_told_as_such(model):
    with pytest.raises(ModelNotFoundError) as refused:
        post(model, model="another")

    assert refused.value.param == "model"


@pytest.mark.parametrize("path", PATHS)
def test_a_caller_who_hangs_up_cancels_the_answer_and_pays_for_what_came(call, path):
    async def read(messages):
        reading = asyncio.ensure_future(_drain(messages))
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.wait({reading})
        return reading.cancelled()

    model = ScriptedModel([[grown("a")], asyncio.Event()])

    assert visit(model, read, call, path=path, stream=True)
    assert "closed" in model.log
    assert call.usage["output_tokens"] == 3


def test_a_stream_that_is_closed_between_two_events_cancels_the_answer(call, model):
    async def read(messages):
        await anext(messages)
        await messages.aclose()

    visit(model, read, call, stream=True)

    assert "closed" in model.log
    assert call.usage["output_tokens"] == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The request body is not valid JSON"),
        (b'{"model": "model", "documents": [{"a": ' + b"[" * 100_000, "The request body is nested"),
        (b'{"model": "model", "messages": [{"role": "user", "content": "\\ud83d"}]}', "not valid"),
    ],
)
def test_a_body_that_is_no_chat_is_refused(model, call, data, message):
    async def ask():
        calls.enter(call)
        return await anext(ChatRest(model).CreateChatCompletion(HttpBody(data=data), None))

    with pytest.raises(InvalidRequestError, match=message):
        asyncio.run(ask())


@pytest.mark.parametrize("path", PATHS)
def test_a_fingerprint_stands_on_every_answer(model, call, path):
    async def ask():
        calls.enter(call)
        door = ChatRest(model, fingerprint="fp_1")
        create = door.CreateChatCompletion if path == "chat" else door.CreateCompletion
        asked = {"model": "model", "prompt": "a", "messages": [{"role": "user", "content": "a"}]}
        request = HttpBody(data=msgspec.json.encode(asked))
        return [message async for message in create(request, None)]

    assert told(asyncio.run(ask()))["system_fingerprint"] == "fp_1"


async def _drain(messages):
    async for _ in messages:
        pass
