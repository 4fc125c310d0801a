"""What Envoy counts of gRPC, and under which labels Prometheus sees it."""

from envoy.config.core.v3 import grpc_method_list_pb2
from envoy.config.metrics.v3 import stats_pb2
from envoy.extensions.filters.http.grpc_stats.v3 import config_pb2

from gateway.bootstrap.values import wrapped
from gateway.endpoints import families, grpc_methods
from services.runtime.config import Settings

LABELS = {
    "envoy.cluster_name": "",
    "envoy.http_conn_manager_prefix": "",
    "envoy.listener_address": "",
    "envoy.response_code": "",
    "envoy.response_code_class": "",
    "envoy.worker_id": "",
    "grpc_service": r"^cluster\.\w+\.grpc\.((switchboard\.\w+\.v1\.\w+)\.)",
    "grpc_method": r"^cluster\.\w+\.grpc\.switchboard\.\w+\.v1\.\w+\.((\w+)\.)",
}
"""Label -> expression; the first group is cut from the metric's name, the second is the value.

Those of Envoy come without one; its own for gRPC cut service names at their dots and are left out.
Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/metrics/v3/stats.proto
"""


def grpc_stats(settings: Settings) -> config_pb2.FilterConfig:
    """Return counters and times for the methods there are; callers cannot invent further ones."""
    services = [
        grpc_method_list_pb2.GrpcMethodList.Service(name=service, method_names=methods)
        for family in families(settings)
        for service, methods in grpc_methods(family).items()
    ]
    return config_pb2.FilterConfig(
        individual_method_stats_allowlist=grpc_method_list_pb2.GrpcMethodList(services=services),
        enable_upstream_stats=True,
    )


def labels() -> stats_pb2.StatsConfig:
    """Return the labels, as in `envoy_cluster_grpc_success{grpc_service="…",grpc_method="…"}`."""
    return stats_pb2.StatsConfig(
        use_all_default_tags=wrapped(value=False),
        stats_tags=[
            stats_pb2.TagSpecifier(tag_name=name, regex=expression)
            for name, expression in LABELS.items()
        ],
    )
