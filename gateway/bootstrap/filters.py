"""The filter chain: every call passes it from top to bottom, every answer from bottom to top."""

from collections.abc import Sequence

from envoy.config.core.v3 import base_pb2, extension_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.compression.gzip.compressor.v3 import gzip_pb2
from envoy.extensions.filters.http.compressor.v3 import compressor_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.health_check.v3 import health_check_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.type.matcher.v3 import string_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.message import Message

from gateway.bootstrap.script import script
from gateway.bootstrap.statistics import grpc_stats
from gateway.bootstrap.transcoder import transcoder
from gateway.bootstrap.values import packed, wrapped
from gateway.endpoints import FRONT_DESK, Endpoint
from services.runtime.config import Settings

MIN_COMPRESSED_BYTES = 1024
"""A shorter body fits a packet or two; packing it would cost more than it saves."""


def filters(settings: Settings, known: Sequence[Endpoint]) -> list[manager_pb2.HttpFilter]:
    """Return the chain: whoever may turn a call away stands before those who work for it."""
    return [
        _filter("cors", cors_pb2.Cors()),
        _filter("health_check", _answer("/healthz"), name="live"),
        _filter("health_check", _answer("/readyz", needs=FRONT_DESK), name="ready"),
        _filter("compressor", _compressor()),
        # ext_authz stands here: it sees the REST path and its route, but no probe and no preflight.
        _filter("lua", _lua(known)),
        _filter("grpc_json_transcoder", transcoder(settings, known)),
        # Behind the transcoder, or it would count no REST call.
        _filter("grpc_stats", grpc_stats(settings)),
        _filter("router", router_pb2.Router(suppress_envoy_headers=True)),
    ]


def _filter(kind: str, config: Message, name: str = "") -> manager_pb2.HttpFilter:
    full_name = f"envoy.filters.http.{kind}" + (f".{name}" if name else "")
    return manager_pb2.HttpFilter(name=full_name, typed_config=packed(config))


def _answer(path: str, needs: str = "") -> health_check_pb2.HealthCheck:
    """Return a probe's answer: 200, or 503 while no replica of the cluster `needs` is healthy."""
    matcher = route_components_pb2.HeaderMatcher(
        name=":path", string_match=string_pb2.StringMatcher(exact=path)
    )
    least = {needs: percent_pb2.Percent(value=1)} if needs else {}
    return health_check_pb2.HealthCheck(
        pass_through_mode=wrapped(value=False),
        headers=[matcher],
        cluster_min_healthy_percentages=least,
    )


def _compressor() -> compressor_pb2.Compressor:
    """Return gzip for Envoy's own list of content types.

    JSON and plain text are on it; an event stream is not: it would wait until a block is full.
    """
    gzip = gzip_pb2.Gzip(compression_level="BEST_SPEED")
    message = compressor_pb2.Compressor
    return message(
        response_direction_config=message.ResponseDirectionConfig(
            common_config=message.CommonDirectionConfig(
                min_content_length=wrapped(MIN_COMPRESSED_BYTES)
            )
        ),
        compressor_library=extension_pb2.TypedExtensionConfig(
            name="envoy.compression.gzip.compressor", typed_config=packed(gzip)
        ),
    )


def _lua(known: Sequence[Endpoint]) -> lua_pb2.Lua:
    return lua_pb2.Lua(default_source_code=base_pb2.DataSource(inline_string=script(known)))
