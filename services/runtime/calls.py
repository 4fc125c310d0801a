"""The call that is being served: who asks, under which id, since when, at what cost."""

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from services.runtime.errors import ServiceError

MAX_REQUEST_ID_CHARACTERS = 128


@dataclass(slots=True)
class Call:
    """What the doors may know of the call they are in, and what they leave for its trailers."""

    method: str
    """Full gRPC method, such as `/switchboard.embeddings.v1.EmbeddingsRest/CreateEmbeddings`."""
    request_id: str
    """From the gateway or the caller; on every log line."""
    key: str = ""
    """The identity that the front desk found, for fairness; empty where nobody checks keys."""
    strict: bool = False
    """Whether an unknown field is an error (`x-switchboard-strict: true`)."""
    first_answer_within_s: float | None = None
    """How long the caller waits for the first byte (`x-stainless-read-timeout`)."""
    started_s: float = field(default_factory=time.perf_counter)
    headers: dict[str, str] = field(default_factory=dict)
    """HTTP headers that a door sets before its first message."""
    usage: Mapping[str, object] | None = None
    """What the call cost; a door sets it, the trailer `x-switchboard-usage` carries it."""
    error: ServiceError | None = None
    """What a stream told that had begun already: the call ends well for gRPC, not for the log."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the call arrived."""
        return time.perf_counter() - self.started_s


_current: ContextVar[Call] = ContextVar("switchboard_call")


def current() -> Call:
    """Return the call that the running task serves."""
    return _current.get()


def enter(call: Call) -> None:
    """Make `call` the current one for the rest of the running task."""
    _current.set(call)


def from_metadata(method: str, metadata: Mapping[str, str | bytes], new_id: str) -> Call:
    """Read a call from its gRPC metadata; what is malformed counts as not sent.

    Args:
        method: Full gRPC method.
        metadata: Lower-case keys; of a repeated key the last value.
        new_id: The request id for a caller that brought none.
    """

    def text(name: str) -> str:
        value = metadata.get(name, "")
        # Other characters may not be sent back in a header.
        return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""

    return Call(
        method=method,
        request_id=text("x-request-id")[:MAX_REQUEST_ID_CHARACTERS] or new_id,
        key=text("x-switchboard-key"),
        strict=text("x-switchboard-strict").lower() == "true",
        first_answer_within_s=_positive(text("x-stainless-read-timeout")),
    )


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
