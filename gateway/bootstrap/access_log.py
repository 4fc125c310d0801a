"""One JSON line a call on stdout: who, what, how long, how it ended. Never a body or a key."""

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.extensions.access_loggers.stream.v3 import stream_pb2
from google.protobuf import struct_pb2

from gateway.bootstrap.values import packed

GRPC_STATUS = (
    '%COALESCE({"operators": ['
    '{"command": "DYNAMIC_METADATA", "param": "switchboard:grpc_status"}, "GRPC_STATUS_NUMBER"]})%'
)
"""The service's status, as the Lua script keeps it: the transcoder leaves only an HTTP status."""

FIELDS = {
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": GRPC_STATUS,
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "request_duration_ms": "%REQUEST_DURATION%",
    "response_duration_ms": "%RESPONSE_DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "user_agent": "%REQ(USER-AGENT)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_host": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "key": "%REQ(X-SWITCHBOARD-KEY)%",
    "usage": "%TRAILER(X-SWITCHBOARD-USAGE)%",
}
"""Key -> format operator. `key` is the identity that the front desk gave, never the secret.

Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage
"""


def access_log() -> accesslog_pb2.AccessLog:
    """Return the log; probes of the gateway's own health are left out."""
    line = struct_pb2.Struct()
    line.update(FIELDS)
    written = substitution_format_string_pb2.SubstitutionFormatString(json_format=line)
    return accesslog_pb2.AccessLog(
        name="envoy.access_loggers.stdout",
        filter=accesslog_pb2.AccessLogFilter(
            not_health_check_filter=accesslog_pb2.NotHealthCheckFilter()
        ),
        typed_config=packed(stream_pb2.StdoutAccessLog(log_format=written)),
    )
