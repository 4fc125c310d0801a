"""Which services Envoy sends calls to."""

import json
from collections.abc import Callable
from http.server import HTTPServer

from console.clusters import routable

Gateway = Callable[[dict[str, tuple[int, bytes]]], HTTPServer]

CLUSTERS = {
    "cluster_statuses": [
        {"name": "well", "host_statuses": [{"health_status": {"eds_health_status": "HEALTHY"}}]},
        {
            "name": "unwell",
            "host_statuses": [{"health_status": {"failed_active_health_check": True}}],
        },
        {"name": "unresolved"},
    ]
}


def test_a_cluster_with_a_healthy_host_is_routable(gateway: Gateway) -> None:
    server = gateway({"/clusters?format=json": (200, json.dumps(CLUSTERS).encode())})

    assert routable(server.server_port) == {"well"}


def test_an_envoy_that_is_not_there_routes_nowhere() -> None:
    assert routable(1) == frozenset()


def test_something_else_on_the_port_routes_nowhere(gateway: Gateway) -> None:
    assert routable(gateway({}).server_port) == frozenset()
