"""A stream of server-sent events: pings in silence, and errors behind the first event."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import structlog
from google.api.httpbody_pb2 import HttpBody

from services.chat.models.answers import Answers, Growth
from services.chat.rest.chunks import Chunks
from services.runtime import rest
from services.runtime.calls import Call
from services.runtime.errors import InternalError, ServiceError

PING_AFTER_S = 15.0
"""Proxies close connections that are silent for longer; many after 60 s."""

_PING = b": ping\n\n"

log = structlog.get_logger()


async def stream(
    answers: Answers, chunks: Chunks, call: Call, *, ping_after_s: float = PING_AFTER_S
) -> AsyncGenerator[HttpBody, None]:
    """Yield the events of an answer; what there is to tell at a time leaves together.

    Args:
        answers: What is told. A wait for more may be cancelled, and nothing is lost by it: a
            generator would end there.
        chunks: Writes the events.
        call: Who asked, for the log.
        ping_after_s: How long it is silent before it says that it lives.

    Raises:
        ServiceError: There was an error before anything was yielded; later ones are told in the
            stream, which then ends.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (comments as pings)
    """
    arrivals, is_open = aiter(answers), False
    try:
        while (growths := await _next(arrivals, ping_after_s)) is not None:
            data = b"".join(map(chunks.write, growths)) if growths else _PING
            if data:
                is_open = True
                yield _events(data)
        yield _events(chunks.end(answers.usage))
    except Exception as error:
        if not is_open:
            raise
        call.error = _told(error, call)
        yield rest.event(call.error.body())


async def _next(arrivals: AsyncIterator[list[Growth]], patience_s: float) -> list[Growth] | None:
    """Return what has come, an empty list when nothing comes in time, None at the end."""
    limit = asyncio.timeout(patience_s)
    try:
        async with limit:
            return await anext(arrivals, None)
    except TimeoutError:
        if not limit.expired():  # one of the model's own
            raise
        return []


def _told(error: Exception, call: Call) -> ServiceError:
    """Return what the caller is told; what nobody expected goes to the log."""
    if isinstance(error, ServiceError):
        return error
    log.error("stream failed", request_id=call.request_id, method=call.method, exc_info=error)
    return InternalError()


def _events(data: bytes) -> HttpBody:
    return HttpBody(content_type="text/event-stream", data=data)
