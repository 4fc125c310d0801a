"""Envoy's own answers in OpenAI's shape: the rows of `replies` as response mappers."""

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.type.matcher.v3 import string_pb2

from gateway.bootstrap.replies import Reply, replies
from services.runtime.config import GatewaySettings

RETRY_AFTER_S = 2
"""A service is back within seconds; SDKs wait so long before they try again."""


def local_replies(gateway: GatewaySettings) -> manager_pb2.LocalReplyConfig:
    """Return the mappers; the first one that fits shapes the answer."""
    shaped = [_mapper(reply) for reply in replies(gateway)]
    return manager_pb2.LocalReplyConfig(mappers=[_grpc_mapper(), *shaped])


def _grpc_mapper() -> manager_pb2.ResponseMapper:
    """Return the mapper for gRPC clients: they get the bare words, as `grpc-message`.

    Behind the transcoder a REST call looks like gRPC too, but has kept its path in a header.
    """
    grpc = _header("content-type", prefix="application/grpc")
    transcoded = _header("x-envoy-original-path", prefix="/")
    transcoded.header_filter.header.treat_missing_header_as_empty = True
    transcoded.header_filter.header.invert_match = True
    return manager_pb2.ResponseMapper(filter=_both(grpc, transcoded))


def _mapper(reply: Reply) -> manager_pb2.ResponseMapper:
    return manager_pb2.ResponseMapper(
        filter=_filter(reply),
        body_format_override=_body(reply),
        headers_to_add=[_retry_after()] if reply.status == 503 else [],
    )


def _filter(reply: Reply) -> accesslog_pb2.AccessLogFilter:
    compared = accesslog_pb2.ComparisonFilter(
        op="GE" if reply.at_least else "EQ",
        # Envoy wants the key of a runtime override; nobody sets one.
        value=base_pb2.RuntimeUInt32(default_value=reply.status, runtime_key="switchboard.status"),
    )
    status = accesslog_pb2.AccessLogFilter(
        status_code_filter=accesslog_pb2.StatusCodeFilter(comparison=compared)
    )
    if reply.flag is None:
        return status
    flags = accesslog_pb2.ResponseFlagFilter(flags=[reply.flag])
    return _both(status, accesslog_pb2.AccessLogFilter(response_flag_filter=flags))


def _body(reply: Reply) -> substitution_format_string_pb2.SubstitutionFormatString:
    error = {"message": reply.message, "type": reply.type, "param": None, "code": reply.code}
    body = substitution_format_string_pb2.SubstitutionFormatString()
    body.json_format.update({"error": error})
    return body


def _header(name: str, prefix: str) -> accesslog_pb2.AccessLogFilter:
    matcher = route_components_pb2.HeaderMatcher(
        name=name, string_match=string_pb2.StringMatcher(prefix=prefix)
    )
    return accesslog_pb2.AccessLogFilter(header_filter=accesslog_pb2.HeaderFilter(header=matcher))


def _both(
    first: accesslog_pb2.AccessLogFilter, second: accesslog_pb2.AccessLogFilter
) -> accesslog_pb2.AccessLogFilter:
    return accesslog_pb2.AccessLogFilter(
        and_filter=accesslog_pb2.AndFilter(filters=[first, second])
    )


def _retry_after() -> base_pb2.HeaderValueOption:
    header = base_pb2.HeaderValue(key="retry-after", value=str(RETRY_AFTER_S))
    return base_pb2.HeaderValueOption(header=header, append_action="OVERWRITE_IF_EXISTS_OR_ADD")
