"""Every error that a caller may see, and the one table that says how it is told.

    ServiceError
    ├── InvalidRequestError          the caller's mistake; `param` names the field
    │   └── ContextLengthError       an input is longer than the model reads
    ├── ModelNotFoundError           no such model, or another endpoint serves it
    ├── OverloadedError              the queue is full; try again in `retry_after_s`
    ├── ModelLoadingError            the model is not ready yet
    ├── ModelUnloadedError           somebody unloaded the model by hand
    ├── ModelFailedError             the model could not be loaded
    ├── DrainingError                the process is going away
    ├── DeadlineError                the caller's time was over before its turn came
    └── InternalError                our mistake, told without detail

The message of a ServiceError is shown to the caller as it is written. This module imports nothing
of the project, so that engines may raise these errors without knowing the wire.
"""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

MAX_SHOWN_CHARACTERS = 200
"""A caller's value is repeated in a message up to this length: messages travel in headers."""

MAX_MESSAGE_CHARACTERS = 2000
"""Messages are cut here."""

MAX_MESSAGE_BYTES = 5000
"""And here, as they travel: twice in a header. gRPC's clients take 8 KiB of headers."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How one class of errors is told: a row of the table."""

    grpc_status: str
    """Name of the gRPC status; Envoy turns it into the HTTP status beside it."""
    http_status: int
    type: str
    """OpenAI's `type`."""
    code: str | None
    """OpenAI's `code`, where the error does not bring its own."""


class ServiceError(Exception):
    """Something that the caller is told, in words meant for the caller."""

    retry_after_s: float | None = None
    """After how many seconds a new try makes sense; None where it makes none."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(_cut(message))
        self.param = param
        self._code = code

    @property
    def telling(self) -> Telling:
        """The row of the table for this error."""
        return next(TABLE[kind] for kind in type(self).__mro__ if kind in TABLE)

    def body(self) -> dict[str, dict[str, str | None]]:
        """OpenAI's error object.

        Source: https://platform.openai.com/docs/guides/error-codes
        """
        telling = self.telling
        return {
            "error": {
                "message": str(self),
                "type": telling.type,
                "param": self.param,
                "code": self._code or telling.code,
            }
        }


class InvalidRequestError(ServiceError):
    """The request cannot be served as it is written."""


class ContextLengthError(InvalidRequestError):
    """An input is longer than the model reads."""


class ModelNotFoundError(ServiceError):
    """No model of this name is served here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="model")


class OverloadedError(ServiceError):
    """The bounded queue is full."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        # An SDK that is told to wait more than two minutes does not try again at all.
        self.retry_after_s = min(max(retry_after_s, 1.0), 120.0)


class ModelLoadingError(ServiceError):
    """The model is being loaded, or is going to be."""

    def __init__(self, message: str, *, retry_after_s: float = 2.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelUnloadedError(ServiceError):
    """The model was unloaded by hand; somebody has to load it again."""

    retry_after_s = 30.0


class ModelFailedError(ServiceError):
    """The model could not be loaded; somebody has to mend it."""

    retry_after_s = 30.0


class DrainingError(ServiceError):
    """The process finishes what it has and takes nothing new."""

    retry_after_s = 1.0


class DeadlineError(ServiceError):
    """The caller's deadline passed before the work was done."""


class InternalError(ServiceError):
    """What nobody expected; the log has the detail."""

    message: ClassVar[str] = (
        "The server had an error while processing the request. Its log tells more."
    )

    def __init__(self) -> None:
        super().__init__(self.message)


TABLE: dict[type[ServiceError], Telling] = {
    InvalidRequestError: Telling("INVALID_ARGUMENT", 400, "invalid_request_error", None),
    ContextLengthError: Telling(
        "INVALID_ARGUMENT", 400, "invalid_request_error", "context_length_exceeded"
    ),
    ModelNotFoundError: Telling("NOT_FOUND", 404, "invalid_request_error", "model_not_found"),
    OverloadedError: Telling("RESOURCE_EXHAUSTED", 429, "requests", "overloaded"),
    ModelLoadingError: Telling("UNAVAILABLE", 503, "server_error", "model_loading"),
    ModelUnloadedError: Telling("UNAVAILABLE", 503, "server_error", "model_unloaded"),
    ModelFailedError: Telling("UNAVAILABLE", 503, "server_error", "model_failed"),
    DrainingError: Telling("UNAVAILABLE", 503, "server_error", "draining"),
    DeadlineError: Telling("DEADLINE_EXCEEDED", 504, "server_error", "timeout"),
    InternalError: Telling("INTERNAL", 500, "server_error", None),
}
"""Error -> gRPC status, HTTP status and OpenAI's error object. The only such table."""


def _cut(message: str) -> str:
    """Return as much of a message as headers hold: once percent-encoded, once as ASCII JSON."""
    message = message[:MAX_MESSAGE_CHARACTERS]
    while len(quote(message, errors="replace")) + len(json.dumps(message)) > MAX_MESSAGE_BYTES:
        message = message[: len(message) * 9 // 10]
    return message


def hint_at(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean '…'?` with the known name nearest to `name`, or nothing."""
    near = difflib.get_close_matches(name[:MAX_SHOWN_CHARACTERS], known, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def shown(value: object) -> str:
    """Return `value` as a message may repeat it: quoted, and cut when it is long."""
    text = str(value)
    if len(text) > MAX_SHOWN_CHARACTERS:
        text = text[:MAX_SHOWN_CHARACTERS] + "…"
    return f"'{text}'"
