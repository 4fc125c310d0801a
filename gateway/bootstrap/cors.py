"""Which web pages may call the gateway, with which headers, and what they may read."""

from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2

from services.runtime.config import GatewaySettings

ALLOW_HEADERS = (
    "authorization",  # the `*` below does not cover it
    "content-type",
    "idempotency-key",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "traceparent",
    "x-request-id",
    "x-stainless-arch",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
    "x-switchboard-strict",
    "*",
)
"""Request headers that a page may send: those of the SDKs by name for older browsers, then any.

Source: https://fetch.spec.whatwg.org/#http-access-control-allow-headers
"""

EXPOSE_HEADERS = (
    "openai-processing-ms",
    "retry-after",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-request-id",
)
"""Response headers that a page may read."""


def cors_policy(gateway: GatewaySettings) -> cors_pb2.CorsPolicy:
    """Return the policy. Cookies are never allowed: keys travel in `authorization`."""
    return cors_pb2.CorsPolicy(
        allow_origin_string_match=[_origin(origin) for origin in gateway.cors.allow_origins],
        allow_methods="GET, POST, DELETE, OPTIONS",
        allow_headers=", ".join(ALLOW_HEADERS),
        expose_headers=", ".join(EXPOSE_HEADERS),
        max_age="7200",
    )


def _origin(origin: str) -> string_pb2.StringMatcher:
    if origin == "*":
        return string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=".*"))
    return string_pb2.StringMatcher(exact=origin)
