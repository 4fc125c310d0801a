"""The one port: HTTP/1.1 and HTTP/2, REST and gRPC."""

from collections.abc import Sequence

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import extension_pb2, protocol_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.request_id.uuid.v3 import uuid_pb2
from envoy.type.matcher.v3 import string_pb2

from gateway.bootstrap.access_log import access_log
from gateway.bootstrap.addresses import listening_address
from gateway.bootstrap.filters import filters
from gateway.bootstrap.mappers import local_replies
from gateway.bootstrap.replies import MAX_HEADERS, MAX_HEADERS_KIB
from gateway.bootstrap.routes import routes
from gateway.bootstrap.values import packed, seconds, wrapped
from gateway.endpoints import Endpoint
from services.runtime.config import Settings

HEADERS_TIMEOUT_S = 10.0
"""How long a client may take to send its headers; one that dawdles holds a connection."""

STRIPPED_HEADERS = ("x-switchboard-key", "x-switchboard-models")
"""Set by the front desk alone; whatever a client sends under these names is dropped at the door."""


def listener(settings: Settings, known: Sequence[Endpoint]) -> listener_pb2.Listener:
    """Return the listener."""
    gateway = settings.gateway
    manager = listener_components_pb2.Filter(
        name="envoy.filters.network.http_connection_manager",
        typed_config=packed(_manager(settings, known)),
    )
    return listener_pb2.Listener(
        name="gateway",
        address=listening_address(gateway.host, gateway.port),
        filter_chains=[listener_components_pb2.FilterChain(filters=[manager])],
    )


def _manager(settings: Settings, known: Sequence[Endpoint]) -> manager_pb2.HttpConnectionManager:
    gateway = settings.gateway
    return manager_pb2.HttpConnectionManager(
        stat_prefix="gateway",
        codec_type="AUTO",
        server_header_transformation="PASS_THROUGH",
        use_remote_address=wrapped(value=True),
        normalize_path=wrapped(value=True),
        merge_slashes=True,
        early_header_mutation_extensions=[_header_mutation()],
        generate_request_id=wrapped(value=True),
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        request_id_extension=_request_id(),
        max_request_headers_kb=wrapped(MAX_HEADERS_KIB),
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(
            max_headers_count=wrapped(MAX_HEADERS)
        ),
        request_headers_timeout=seconds(HEADERS_TIMEOUT_S),
        stream_idle_timeout=seconds(gateway.stream_idle_timeout_s),
        route_config=routes(settings, known),
        http_filters=filters(settings, known),
        local_reply_config=local_replies(gateway),
        access_log=[access_log()],
    )


def _header_mutation() -> extension_pb2.TypedExtensionConfig:
    """Return the first thing that happens to a call: headers that only the mesh may set go.

    `x-envoy-*` would let a caller change retries and timeouts, or write a false path into the log.
    """
    rules = [mutation_rules_pb2.HeaderMutation(remove=name) for name in STRIPPED_HEADERS]
    steering = mutation_rules_pb2.HeaderMutation.RemoveOnMatch(
        key_matcher=string_pb2.StringMatcher(prefix="x-envoy-")
    )
    rules.append(mutation_rules_pb2.HeaderMutation(remove_on_match=steering))
    return extension_pb2.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=packed(header_mutation_pb2.HeaderMutation(mutations=rules)),
    )


def _request_id() -> manager_pb2.RequestIDExtension:
    """Return ids that stay as they were sent; by default Envoy notes a trace reason in them."""
    config = uuid_pb2.UuidRequestIdConfig(pack_trace_reason=wrapped(value=False))
    return manager_pb2.RequestIDExtension(typed_config=packed(config))
