"""A model that answers by heart, and somebody at the door."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
from google.api.httpbody_pb2 import HttpBody

from services.chat.engine.conversation import Continuation, Conversation
from services.chat.engine.events import ContentDelta, Event
from services.chat.models.answers import FinishReason, Growth, TokenLogprob, TokenText, Usage
from services.chat.rest import ChatRest
from services.chat.rest.body import ChatBody, read_conversation
from services.chat.rest.generation import IGNORED
from services.chat.rest.legacy.body import CompletionBody, read_continuation
from services.runtime import calls, rest
from services.runtime.calls import Call
from services.runtime.errors import ModelNotFoundError

PATIENCE_S = 20.0
HELLO = {"role": "user", "content": "Hello"}

Step = Sequence[Growth] | Exception | asyncio.Event
"""What comes, what goes wrong, or what is waited for."""


@dataclass
class ScriptedAnswers:
    """Tells its steps, one at a time."""

    steps: list[Step]
    usage: Usage

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Growth]:
        while self.steps and isinstance(self.steps[0], asyncio.Event):
            await self.steps[0].wait()
            del self.steps[0]
        if not self.steps:
            self.usage.completion_tokens = 7
            raise StopAsyncIteration
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return list(step)


@dataclass
class ScriptedModel:
    """Serves `model`, and remembers what it was asked; also the registry that it is in."""

    steps: Sequence[Step] = ()
    refusal: Exception | None = None
    """Raised where the model is asked."""
    asked: list[Conversation | Continuation] = field(default_factory=list)
    terms: list[tuple[str, float | None]] = field(default_factory=list)
    """Key and deadline of each request."""
    log: list[str] = field(default_factory=list)

    @contextmanager
    def lease(self, name: str) -> Iterator[Self]:
        if name != "model":
            raise ModelNotFoundError(f"The model '{name}' does not exist.")
        self.log.append("leased")
        try:
            yield self
        finally:
            self.log.append("given back")

    @asynccontextmanager
    async def answer(
        self, asked: Conversation | Continuation, *, key: str, deadline_s: float | None
    ) -> AsyncIterator[ScriptedAnswers]:
        self.asked.append(asked)
        self.terms.append((key, deadline_s))
        if self.refusal is not None:
            raise self.refusal
        try:
            usage = Usage(prompt_tokens=5, cached_tokens=2, completion_tokens=3, model="the-model")
            yield ScriptedAnswers(list(self.steps), usage)
        finally:
            self.log.append("closed")

    go_on = answer


def post(
    scripted: ScriptedModel, call: Call | None = None, *, path: str = "chat", **body: Any
) -> list[HttpBody]:
    """Return the messages that answer a request."""

    async def read(messages: AsyncIterator[HttpBody]) -> list[HttpBody]:
        return [message async for message in messages]

    return visit(scripted, read, call, path=path, **body)


def visit(
    scripted: ScriptedModel,
    read: Callable[[AsyncIterator[HttpBody]], Awaitable[Any]],
    call: Call | None = None,
    *,
    path: str = "chat",
    ping_after_s: float = PATIENCE_S,
    **body: Any,
) -> Any:
    """Return what `read` makes of the messages that answer a request."""
    door = ChatRest(scripted, ping_after_s=ping_after_s)
    create = door.CreateChatCompletion if path == "chat" else door.CreateCompletion
    asked = {"messages": [HELLO]} if path == "chat" else {"prompt": "Hello"}

    async def visiting() -> Any:
        calls.enter(call or Call("/a.B/C", "request-1"))
        request = HttpBody(data=msgspec.json.encode({"model": "model", **asked, **body}))
        return await asyncio.wait_for(read(create(request, None)), PATIENCE_S)

    return asyncio.run(visiting())


def told(messages: Sequence[HttpBody]) -> dict[str, Any]:
    """Return the JSON that was told at once."""
    assert {message.content_type for message in messages} == {"application/json"}
    answer: dict[str, Any] = json.loads(b"".join(message.data for message in messages))
    return answer


def events(messages: Sequence[HttpBody]) -> list[str]:
    """Return what stands behind `data: ` in a stream, each id and time replaced."""
    assert {message.content_type for message in messages} == {"text/event-stream"}
    frames = b"".join(message.data for message in messages).decode().split("\n\n")
    assert frames.pop() == ""
    return [_without_chance(frame.removeprefix("data: ")) for frame in frames]


def _without_chance(frame: str) -> str:
    if not frame.startswith("{") or '"id"' not in frame:
        return frame
    chunk = json.loads(frame)
    return frame.replace(chunk["id"], "ID").replace(f'"created":{chunk["created"]}', '"created":0')


def conversation(**body: Any) -> Conversation:
    """Return what the model is asked by the body of a chat."""
    raw = msgspec.json.encode({"model": "model", "messages": [HELLO], **body})
    call = Call("/a.B/C", "request-1", strict=True)
    return read_conversation(rest.decode(raw, ChatBody, call, ignored=IGNORED))


def continuation(**body: Any) -> Continuation:
    """Return what the model is asked by the body of the older endpoint."""
    raw = msgspec.json.encode({"model": "model", "prompt": "Hello", **body})
    call = Call("/a.B/C", "request-1", strict=True)
    return read_continuation(rest.decode(raw, CompletionBody, call, ignored=IGNORED))


def grown(
    *events: Event | str,
    choice: int = 0,
    finish: FinishReason | None = None,
    logprobs: Sequence[TokenLogprob] = (),
) -> Growth:
    """Return what a choice has grown by; texts are content."""
    typed = tuple(ContentDelta(event) if isinstance(event, str) else event for event in events)
    return Growth(choice, typed, tuple(logprobs), finish)


def place(text: str, logprob: float | None, **top: float) -> TokenLogprob:
    """Return the log probabilities of a token."""
    others = tuple(TokenText(other, other.encode(), value) for other, value in top.items())
    return TokenLogprob(TokenText(text, text.encode(), logprob), others)
