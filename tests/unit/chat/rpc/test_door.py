"""The typed door around an answer: who is asked for whom, until when, at what cost."""

import asyncio
import threading
import time

import pytest
from switchboard.chat.v1 import chat_pb2 as wire

from services.chat.engine.conversation import Conversation
from services.chat.rpc import ChatService
from services.chat.rpc.door import INLINE_BYTES
from services.runtime import calls
from services.runtime.calls import Call
from services.runtime.errors import InvalidRequestError, ModelNotFoundError, OverloadedError
from tests.unit.chat.rest.scripted import ScriptedModel, grown

PATIENCE_S = 20.0


class Context:
    """What gRPC tells of a call."""

    def __init__(self, left_s=None):
        self._left_s = left_s

    def time_remaining(self):
        return self._left_s


@pytest.fixture
def call():
    return Call("/a.B/C", "request-1", key="key-1")


@pytest.fixture
def model():
    return ScriptedModel([[grown("a"), grown("x", choice=1)], [
        grown("b", finish="stop"), grown("y", choice=1, finish="length")]])  # fmt: skip


def message(text="Hi"):
    return wire.Message(user=wire.UserMessage(content=[wire.ContentPart(text=text)]))


def visit(model, call, read, *, left_s=None, name="model", text="Hi", **generation):
    """Return what `read` makes of the door, a request and its context."""
    fields = {
        "model": name,
        "conversation": wire.Conversation(messages=[message(text)]),
        "generation": wire.Generation(**generation),
    }

    async def visiting():
        calls.enter(call)
        asked = read(ChatService(model), fields, Context(left_s))
        return await asyncio.wait_for(asked, PATIENCE_S)

    return asyncio.run(visiting())


async def whole(door, fields, context):
    request = wire.CreateChatCompletionRequest(**fields)
    return await door.CreateChatCompletion(request, context)


async def stream(door, fields, context):
    request = wire.StreamChatCompletionRequest(**fields)
    return [each async for each in door.StreamChatCompletion(request, context)]


def test_a_whole_answer_holds_all_choices_and_the_cost(model, call):
    answer = visit(model, call, whole)

    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "the-model"
    assert abs(answer.created - time.time()) < 60
    assert [choice.message.content[0].text for choice in answer.choices] == ["ab", "xy"]
    assert answer.usage.completion_tokens == 7


def test_a_stream_tells_what_comes_and_the_cost_at_its_end(model, call):
    *messages, last = visit(model, call, stream)

    assert [[delta.content for delta in each.choices] for each in messages] == [
        ["a", "x"],
        ["b", "y"],
    ]
    assert (len(last.choices), last.usage.completion_tokens) == (0, 7)
    assert not any(each.HasField("usage") for each in messages)
    assert len({(each.id, each.model, each.created) for each in [*messages, last]}) == 1


@pytest.mark.parametrize("read", [whole, stream])
def test_a_model_is_asked_for_the_caller_and_given_back(model, call, read):
    visit(model, call, read, temperature=0.5, seed=3)

    (asked,) = model.asked
    assert isinstance(asked, Conversation)
    assert (asked.wishes.temperature, asked.wishes.seed) == (0.5, 3)
    assert model.terms == [("key-1", None)]
    assert model.log == ["leased", "closed", "given back"]
    assert call.usage["output_tokens"] == 7


@pytest.mark.parametrize("read", [whole, stream])
def test_the_deadline_of_the_call_is_that_of_the_answer(model, call, read):
    visit(model, call, read, left_s=60.0)

    ((_, deadline_s),) = model.terms
    assert 0 < deadline_s - time.monotonic() <= 60


@pytest.mark.parametrize("read", [whole, stream])
@pytest.mark.parametrize("error", [ModelNotFoundError, OverloadedError])
def test_what_is_refused_is_raised(call, read, error):
    model = ScriptedModel(refusal=OverloadedError("Full.", retry_after_s=1))

    with pytest.raises(error):
        visit(model, call, read, name="model" if error is OverloadedError else "another")

    assert model.log in ([], ["leased", "given back"])


@pytest.mark.parametrize("read", [whole, stream])
def test_an_error_in_the_middle_is_raised_and_paid_for(call, read):
    model = ScriptedModel([[grown("a")], OverloadedError("Full.", retry_after_s=1)])

    with pytest.raises(OverloadedError):
        visit(model, call, read)

    assert call.usage["output_tokens"] == 3
    assert "closed" in model.log


@pytest.mark.parametrize("read", [whole, stream])
def test_a_caller_who_hangs_up_cancels_the_answer(call, read):
    model = ScriptedModel([[grown("a")], asyncio.Event()])

    async def hang_up(door, fields, context):
        reading = asyncio.ensure_future(read(door, fields, context))
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.wait({reading})
        return reading.cancelled()

    assert visit(model, call, hang_up)
    assert model.log == ["leased", "closed", "given back"]
    assert call.usage["output_tokens"] == 3


def test_a_mistake_is_found_before_a_model_is_asked(model, call):
    with pytest.raises(InvalidRequestError):
        visit(model, call, whole, choices=0)

    assert model.log == []


def test_what_is_long_is_read_in_a_thread(model, call):
    before = threading.active_count()
    seen = []

    async def counting(door, fields, context):
        await whole(door, fields, context)
        seen.append(threading.active_count())

    visit(model, call, counting, text="a" * 100)
    visit(model, call, counting, text="a" * INLINE_BYTES)

    assert seen == [before, before + 1]
    assert [len(asked.messages[0]["content"]) for asked in model.asked] == [100, INLINE_BYTES]
