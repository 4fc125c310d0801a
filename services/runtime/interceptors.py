"""What happens around every call: request id, identity, timing, the error table, the last log line.

Handlers raise; this module tells. It knows no service and no message type.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc
import structlog

from services.runtime import telemetry
from services.runtime.calls import Call, enter, from_metadata
from services.runtime.errors import (
    DeadlineError,
    DrainingError,
    InternalError,
    OverloadedError,
    ServiceError,
)

log = structlog.get_logger()

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

NOT_CALLS = ("/grpc.health.", "/grpc.reflection.", "/switchboard.runtime.")
"""Prefixes of methods that the mesh itself asks all the time; they pass as they are."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler; counts the calls in flight, refuses too many, and all while draining."""

    def __init__(self, max_calls: int) -> None:
        self.draining = False
        self._max_calls = max_calls
        self._handlers: dict[str, Handler] = {}
        """Of the methods that were called, wrapped once."""
        self._running = 0
        self._last_arrival_s = 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait_until_quiet(self, quiet_s: float, timeout_s: float) -> None:
        """Wait until no call came for `quiet_s`, counted from now, or until `timeout_s` is over."""
        now = time.perf_counter()
        deadline, last = now + timeout_s, now
        while (until := min(last + quiet_s, deadline)) > time.perf_counter():
            await asyncio.sleep(until - time.perf_counter())
            last = max(last, self._last_arrival_s)

    async def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no call is in flight; False when some still were after `timeout_s`."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Return the handler of the method with everything around it."""
        method = handler_call_details.method
        if method in self._handlers:
            return self._handlers[method]
        handler = await continuation(handler_call_details)
        # A rejected message size or an unknown method never comes here: gRPC answers those itself.
        if handler is None or method.startswith(NOT_CALLS):
            return handler
        self._handlers[method] = wrapped = self._wrapped(method, handler)
        return wrapped

    def _wrapped(self, method: str, handler: Any) -> Handler:
        asked = "stream" if handler.request_streaming else "unary"
        answered = "stream" if handler.response_streaming else "unary"
        behavior = getattr(handler, f"{asked}_{answered}")
        wrap = self._stream if handler.response_streaming else self._unary
        make = getattr(grpc, f"{asked}_{answered}_rpc_method_handler")
        made: Handler = make(
            wrap(method, behavior), handler.request_deserializer, handler.response_serializer
        )
        return made

    def _unary(self, method: str, behavior: Any) -> Any:
        async def answer(request: Any, context: Context) -> Any:
            async with self._around(method, context) as call:
                async with _in_time(call):
                    response = await behavior(request, context)
                await _send_headers(context, call)
                return response

        return answer

    def _stream(self, method: str, behavior: Any) -> Any:
        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            async with (
                self._around(method, context) as call,
                aclosing(behavior(request, context)) as messages,
            ):
                async with _in_time(call):
                    first = await anext(messages, None)
                await _send_headers(context, call)
                if first is None:
                    return
                yield first
                async for message in messages:
                    yield message

        return answer

    def _admit(self) -> None:
        if self.draining:
            raise DrainingError("The service is shutting down. Try again.")
        if self._running > self._max_calls:
            raise OverloadedError(
                f"The service holds {self._max_calls} calls already. Try again later.",
                retry_after_s=1.0,
            )

    @asynccontextmanager
    async def _around(self, method: str, context: Context) -> AsyncIterator[Call]:
        metadata = dict(context.invocation_metadata() or ())
        call = from_metadata(method, metadata, new_id=uuid.uuid4().hex)
        enter(call)
        self._running += 1
        self._last_arrival_s = call.started_s
        self._idle.clear()
        telemetry.RUNNING.labels(method).inc()
        code = "OK"
        try:
            try:
                self._admit()
                yield call
                context.set_trailing_metadata(_trailing(call))
                if call.error is not None:
                    code = call.error.telling.grpc_status
            except ServiceError as error:
                code = error.telling.grpc_status
                await _abort(context, call, error)
            except (grpc.aio.AbortError, asyncio.CancelledError, GeneratorExit):
                raise
            except Exception:
                code = "INTERNAL"
                log.exception("call failed", request_id=call.request_id, method=method)
                await _abort(context, call, InternalError())
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            telemetry.CANCELLED.labels(method).inc()
            raise
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
            telemetry.RUNNING.labels(method).dec()
            telemetry.REQUESTS.labels(method, code).inc()
            telemetry.REQUEST_SECONDS.labels(method).observe(call.elapsed_s)
            log.debug(
                "call",
                request_id=call.request_id,
                method=method,
                code=code,
                duration_ms=round(call.elapsed_s * 1000, 2),
            )


@asynccontextmanager
async def _in_time(call: Call) -> AsyncIterator[None]:
    """Raise a DeadlineError where the block outlasts the caller's patience for the first byte."""
    limit = asyncio.timeout(call.first_answer_within_s)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():  # one of the handler's own
            raise
        raise DeadlineError(
            f"The request was not answered within {call.first_answer_within_s} s,"
            " the caller's read timeout."
        ) from None


async def _abort(context: Context, call: Call, error: ServiceError) -> None:
    """End the call with the error's row of the table.

    Envoy puts `x-openai-error` into the body; a typed caller finds the same object in the trailers.
    """
    trailing = [("x-openai-error", json.dumps(error.body()))]
    if error.retry_after_s is not None:
        trailing.append(("retry-after", f"{error.retry_after_s:.0f}"))
    status = grpc.StatusCode[error.telling.grpc_status]
    await context.abort(status, str(error), (*trailing, ("x-request-id", call.request_id)))


async def _send_headers(context: Context, call: Call) -> None:
    """Send what a door wants as HTTP headers, and nothing otherwise.

    Metadata ahead of the first message is an operation of its own, a fifth of the time of a short
    call. What every answer carries comes from the gateway, or with the trailers.
    """
    if call.headers:
        await context.send_initial_metadata(tuple(call.headers.items()))


def _trailing(call: Call) -> tuple[tuple[str, str], ...]:
    about = (
        ("x-request-id", call.request_id),
        ("openai-processing-ms", f"{call.elapsed_s * 1000:.0f}"),
    )
    if call.usage is None:
        return about
    return (*about, ("x-switchboard-usage", json.dumps(call.usage)))
