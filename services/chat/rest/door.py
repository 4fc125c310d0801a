"""The REST door: OpenAI's JSON to the models, and their answers back at once or as a stream."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

from google.api.httpbody_pb2 import HttpBody
from switchboard.chat.v1 import chat_pb2_grpc

from services.chat.models.answers import Answers
from services.chat.models.choices import collect
from services.chat.rest.body import ChatBody, read_conversation
from services.chat.rest.envelope import Envelope, new_id
from services.chat.rest.forms import Form, chat_form, completion_form
from services.chat.rest.generation import IGNORED, GenerationBody
from services.chat.rest.legacy.body import CompletionBody, read_continuation
from services.chat.rest.served import Model, Models
from services.chat.rest.stream import PING_AFTER_S, stream
from services.runtime import calls, rest
from services.runtime.calls import Call

INLINE_BYTES = 64 * 1024
"""Bodies with no more are read on the event loop (in about a millisecond)."""

BodyT = TypeVar("BodyT", bound=GenerationBody)
AskedT = TypeVar("AskedT")

Wanted: TypeAlias = Callable[[Model], Callable[..., AbstractAsyncContextManager[Answers]]]
"""What is wanted of a model: one of its methods, with everything but for whom it is."""


class ChatRest(chat_pb2_grpc.ChatRestServicer):
    """Serves `POST /v1/chat/completions` and `POST /v1/completions`."""

    def __init__(
        self,
        models: Models,
        *,
        fingerprint: str | None = None,
        ping_after_s: float = PING_AFTER_S,
    ) -> None:
        """Open the door.

        Args:
            models: Who answers.
            fingerprint: Of what computes answers, told as `system_fingerprint`: while it is the
                same, a seed gives the same answer.
            ping_after_s: How long a stream is silent before it says that it lives.
        """
        self._models = models
        self._fingerprint = fingerprint
        self._ping_after_s = ping_after_s

    async def CreateChatCompletion(
        self, request: HttpBody, context: Any
    ) -> AsyncIterator[HttpBody]:
        """Answer messages."""
        body, asked = await _read(request.data, ChatBody, read_conversation)
        form = chat_form(body)
        async with (
            self._asking(body, lambda model: partial(model.answer, asked)) as answers,
            aclosing(self._told(answers, form, in_stream=bool(body.stream))) as messages,
        ):
            async for message in messages:
                yield message

    async def CreateCompletion(self, request: HttpBody, context: Any) -> AsyncIterator[HttpBody]:
        """Go on with prompts."""
        body, asked = await _read(request.data, CompletionBody, read_continuation)
        form = completion_form(body)
        async with (
            self._asking(body, lambda model: partial(model.go_on, asked)) as answers,
            aclosing(self._told(answers, form, in_stream=bool(body.stream))) as messages,
        ):
            async for message in messages:
                yield message

    @asynccontextmanager
    async def _asking(self, body: GenerationBody, wanted: Wanted) -> AsyncIterator[Answers]:
        """Ask the model, and note what it took, also where the caller goes away."""
        call = calls.current()
        with self._models.lease(body.model) as model:
            asking = wanted(model)(key=call.key, deadline_s=_deadline_s(body, call))
            async with asking as answers:
                try:
                    yield answers
                finally:
                    call.usage = answers.usage.told()

    def _told(
        self, answers: Answers, form: Form, *, in_stream: bool
    ) -> AsyncGenerator[HttpBody, None]:
        if not in_stream:
            return _whole(answers, form, self._envelope(answers, form.id_prefix, form.object))
        envelope = self._envelope(answers, form.id_prefix, form.chunk_object)
        return stream(
            answers, form.chunks(envelope), calls.current(), ping_after_s=self._ping_after_s
        )

    def _envelope(self, answers: Answers, id_prefix: str, kind: str) -> Envelope:
        model = answers.usage.model
        return Envelope(new_id(id_prefix), kind, int(time.time()), model, self._fingerprint)


async def _read(
    data: bytes, kind: type[BodyT], read: Callable[[BodyT], AskedT]
) -> tuple[BodyT, AskedT]:
    """Return a body and what it asks for; what is long is read in a thread, as it holds up all."""
    call = calls.current()

    def reading() -> tuple[BodyT, AskedT]:
        body = rest.decode(data, kind, call, ignored=IGNORED)
        return body, read(body)

    return reading() if len(data) <= INLINE_BYTES else await asyncio.to_thread(reading)


async def _whole(
    answers: Answers, form: Form, envelope: Envelope
) -> AsyncGenerator[HttpBody, None]:
    choices = form.choices(await collect(answers))
    for part in rest.json_parts(envelope.json_around(choices, answers.usage)):
        yield part


def _deadline_s(body: GenerationBody, call: Call) -> float | None:
    """Return when the answer has to be there.

    Of a stream only the beginning has to be in time, which the interceptor sees to.
    """
    if body.stream or call.first_answer_within_s is None:
        return None
    return time.monotonic() + call.first_answer_within_s - call.elapsed_s
