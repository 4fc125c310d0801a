"""How the gateway learns that a replica is gone, and that it is back."""

from envoy.config.cluster.v3 import outlier_detection_pb2
from envoy.config.core.v3 import health_check_pb2

from gateway.bootstrap.values import seconds, wrapped

KNOCK_S = 0.25
"""How often a replica that is down is asked again: the longest that its return goes unnoticed."""

TIMEOUT_S = 2.0
"""A replica at work may be slow to answer; one that takes longer counts as failing."""


def health_check(service: str, interval_s: float) -> health_check_pb2.HealthCheck:
    """Return the gRPC health check of one service.

    A service that nobody has called yet would be asked every 60 s, were it not for the two
    `no_traffic` intervals.

    Args:
        service: Full name of the gRPC service that is asked for.
        interval_s: Seconds between two questions to a healthy replica.
    """
    knock_s = min(KNOCK_S, interval_s)
    return health_check_pb2.HealthCheck(
        grpc_health_check=health_check_pb2.HealthCheck.GrpcHealthCheck(service_name=service),
        timeout=seconds(TIMEOUT_S),
        interval=seconds(interval_s),
        no_traffic_interval=seconds(knock_s),
        no_traffic_healthy_interval=seconds(interval_s),
        unhealthy_interval=seconds(knock_s),
        unhealthy_threshold=wrapped(2),
        healthy_threshold=wrapped(1),
    )


def outlier_detection() -> outlier_detection_pb2.OutlierDetection:
    """Return the watch over live traffic: only a replica that cannot be reached is set aside.

    What a service answers never counts, not even UNAVAILABLE: a caller's short deadline, a full
    queue or one model that is loading say nothing about the replica. A draining one is retried
    elsewhere and fails its health check. At most half of the replicas are set aside, so a single
    one never is: it is back as soon as its health is.
    """
    return outlier_detection_pb2.OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=wrapped(3),
        enforcing_consecutive_local_origin_failure=wrapped(100),
        enforcing_local_origin_success_rate=wrapped(0),
        enforcing_consecutive_5xx=wrapped(0),
        enforcing_consecutive_gateway_failure=wrapped(0),
        enforcing_success_rate=wrapped(0),
        interval=seconds(1),
        base_ejection_time=seconds(5),
        max_ejection_time=seconds(30),
        max_ejection_percent=wrapped(50),
    )
