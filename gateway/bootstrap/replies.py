"""What is said where Envoy itself answers: one row a status.

Source: https://platform.openai.com/docs/guides/error-codes
"""

from dataclasses import dataclass

from services.runtime.config import GatewaySettings

MAX_HEADERS_KIB = 60
"""Largest request line and headers together, in KiB."""

MAX_HEADERS = 100
"""Most headers of a request."""

SAID = "%LOCAL_REPLY_BODY%"
"""The words of whoever turned the call away: the wrong-door hint, the front desk, a codec."""

WHY = f"(%RESPONSE_CODE_DETAILS%): {SAID}"
"""Envoy's own name for what happened, and the words, of which it may have none."""

SERVICE = "The %UPSTREAM_CLUSTER_RAW% service"


@dataclass(frozen=True, slots=True)
class Reply:
    """How one status is told."""

    status: int
    message: str
    code: str | None = None
    flag: str | None = None
    """The response flag that it is for; None for every one."""
    at_least: bool = False
    """Whether it also tells every higher status."""

    @property
    def type(self) -> str:
        """OpenAI's `type`."""
        if self.status == 429:
            return "requests"
        return "server_error" if self.status >= 500 else "invalid_request_error"


def replies(gateway: GatewaySettings) -> tuple[Reply, ...]:
    """Return the rows; the first one that fits is used. `%…%` is filled in by Envoy."""
    body = f"{gateway.max_body_bytes} bytes (the setting gateway.max_body_bytes)"
    calls = f"{gateway.max_requests} calls in flight (the setting gateway.max_requests)"
    idle = f"{gateway.stream_idle_timeout_s:g} s (the setting gateway.stream_idle_timeout_s)"
    headers = f"larger than {MAX_HEADERS_KIB} KiB or more than {MAX_HEADERS}"
    return (
        Reply(400, f"The request cannot be read {WHY}"),
        Reply(401, SAID, "invalid_api_key"),
        Reply(403, f"This is not allowed {WHY}", "permission_denied"),
        Reply(404, SAID, "unknown_url"),
        Reply(405, SAID, "method_not_allowed"),
        Reply(408, f"The request did not arrive in time {WHY}", "timeout"),
        Reply(413, f"The request body is larger than {body}.", "request_too_large"),
        Reply(429, SAID, "rate_limit_exceeded"),
        Reply(431, f"The headers are {headers}.", "headers_too_large"),
        Reply(502, f"{SERVICE} gave an answer that cannot be read {WHY}"),
        Reply(503, f"{SERVICE} has {calls}, as many as it may.", "overloaded", flag="UO"),
        Reply(503, f"{SERVICE} is not ready or is restarting.", "service_unavailable"),
        Reply(504, f"The deadline passed, or the call was silent for {idle}.", "timeout"),
        Reply(500, f"The gateway failed {WHY}", at_least=True),
        Reply(400, f"The request was refused {WHY}", at_least=True),
    )
