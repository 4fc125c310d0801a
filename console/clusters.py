"""Which services Envoy sends calls to at this moment, from its admin interface."""

import http.client

import msgspec

from console.ports import LOOPBACK

TIMEOUT_S = 1.0


class _Health(msgspec.Struct):
    failed_active_health_check: bool = False


class _Host(msgspec.Struct):
    health_status: _Health = msgspec.field(default_factory=_Health)


class _Cluster(msgspec.Struct):
    name: str
    host_statuses: tuple[_Host, ...] = ()


class _Answer(msgspec.Struct):
    cluster_statuses: tuple[_Cluster, ...] = ()


def routable(admin_port: int) -> frozenset[str]:
    """Return the clusters with a healthy host; none when Envoy does not say.

    Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin (GET /clusters)
    """
    connection = http.client.HTTPConnection(LOOPBACK, admin_port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/clusters?format=json")
        answer = msgspec.json.decode(connection.getresponse().read(), type=_Answer)
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return frozenset()
    finally:
        connection.close()
    return frozenset(
        cluster.name
        for cluster in answer.cluster_statuses
        if any(not host.health_status.failed_active_health_check for host in cluster.host_statuses)
    )
