"""One cluster a service: how its replicas are found, chosen, watched and spared."""

from collections.abc import Sequence

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import protocol_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.extensions.clusters.dns.v3 import dns_cluster_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2

from gateway.bootstrap.addresses import address
from gateway.bootstrap.health import health_check, outlier_detection
from gateway.bootstrap.values import packed, seconds, wrapped
from gateway.endpoints import FRONT_DESK, Endpoint, families, rest_service
from services.runtime.config import Settings

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

CONNECT_TIMEOUT_S = 1.0
"""A replica in the same mesh that takes longer is gone; the call tries another one."""

DNS_REFRESH_S = 5.0
"""How often a service name is looked up anew, where its record does not say so itself."""


def clusters(settings: Settings, known: Sequence[Endpoint]) -> list[cluster_pb2.Cluster]:
    """Return the clusters of the configured families; a cluster has the name of its family."""
    return [_cluster(settings, family, known) for family in families(settings)]


def _cluster(settings: Settings, family: str, known: Sequence[Endpoint]) -> cluster_pb2.Cluster:
    gateway = settings.gateway
    service = settings.frontdesk if family == FRONT_DESK else settings.services[family]
    return cluster_pb2.Cluster(
        name=family,
        cluster_type=_strict_dns(),
        lb_policy="LEAST_REQUEST",
        load_assignment=_endpoints(family, service.host, service.port),
        connect_timeout=seconds(CONNECT_TIMEOUT_S),
        typed_extension_protocol_options={HTTP_OPTIONS: packed(_http2())},
        circuit_breakers=_circuit_breakers(gateway.max_requests),
        health_checks=[health_check(rest_service(family, known), gateway.health_interval_s)],
        outlier_detection=outlier_detection(),
        # By default a service with half of its replicas unwell would be called as if all were well.
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(
            healthy_panic_threshold=percent_pb2.Percent(value=0)
        ),
    )


def _strict_dns() -> cluster_pb2.Cluster.CustomClusterType:
    """Return strict DNS: each address behind the name is a replica, until it is gone."""
    discovery = dns_cluster_pb2.DnsCluster(
        dns_refresh_rate=seconds(DNS_REFRESH_S),
        respect_dns_ttl=True,
        dns_lookup_family="V4_PREFERRED",
    )
    return cluster_pb2.Cluster.CustomClusterType(
        name="envoy.clusters.dns", typed_config=packed(discovery)
    )


def _endpoints(family: str, host: str, port: int) -> endpoint_pb2.ClusterLoadAssignment:
    """Return the one name behind which every replica stands."""
    endpoint = endpoint_components_pb2.Endpoint(address=address(host, port))
    replicas = endpoint_components_pb2.LocalityLbEndpoints(
        lb_endpoints=[endpoint_components_pb2.LbEndpoint(endpoint=endpoint)]
    )
    return endpoint_pb2.ClusterLoadAssignment(cluster_name=family, endpoints=[replicas])


def _http2() -> http_protocol_options_pb2.HttpProtocolOptions:
    """Return plain HTTP/2 with pings, so that a vanished machine is noticed while a call waits."""
    http2 = protocol_pb2.Http2ProtocolOptions(
        connection_keepalive=protocol_pb2.KeepaliveSettings(
            interval=seconds(30), timeout=seconds(5)
        )
    )
    options = http_protocol_options_pb2.HttpProtocolOptions
    return options(explicit_http_config=options.ExplicitHttpConfig(http2_protocol_options=http2))


def _circuit_breakers(max_requests: int) -> circuit_breaker_pb2.CircuitBreakers:
    """Return the limits of one service; HTTP/2 needs few connections for many calls."""
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_requests=wrapped(max_requests),
        max_pending_requests=wrapped(max_requests),
        max_connections=wrapped(max_requests),
        retry_budget=circuit_breaker_pb2.CircuitBreakers.Thresholds.RetryBudget(
            budget_percent=percent_pb2.Percent(value=20), min_retry_concurrency=wrapped(10)
        ),
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[thresholds])
