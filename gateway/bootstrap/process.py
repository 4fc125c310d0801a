"""The Envoy process: its listener, its clusters, its admin interface and its guard."""

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.core.v3 import base_pb2
from envoy.config.overload.v3 import overload_pb2
from envoy.extensions.resource_monitors.downstream_connections.v3 import downstream_connections_pb2

from gateway.bootstrap.addresses import LOOPBACK, address
from gateway.bootstrap.clusters import clusters
from gateway.bootstrap.listener import listener
from gateway.bootstrap.statistics import labels
from gateway.bootstrap.values import packed
from gateway.endpoints import endpoints
from services.runtime.config import Settings


def process(settings: Settings) -> bootstrap_pb2.Bootstrap:
    """Return the whole bootstrap."""
    known = endpoints(settings)
    return bootstrap_pb2.Bootstrap(
        node=base_pb2.Node(id="gateway", cluster="switchboard"),
        admin=_admin(settings.gateway.admin_port),
        stats_config=labels(),
        overload_manager=_overload_manager(settings.gateway.max_connections),
        static_resources=bootstrap_pb2.Bootstrap.StaticResources(
            listeners=[listener(settings, known)],
            clusters=clusters(settings, known),
        ),
    )


def _admin(port: int) -> bootstrap_pb2.Admin:
    """Return the admin interface: whoever reaches it can stop Envoy, so it is on loopback."""
    return bootstrap_pb2.Admin(address=address(LOOPBACK, port), ignore_global_conn_limit=True)


def _overload_manager(max_connections: int) -> overload_pb2.OverloadManager:
    """Return the guard that refuses further client connections before files run out."""
    limit = downstream_connections_pb2.DownstreamConnectionsConfig(
        max_active_downstream_connections=max_connections
    )
    monitor = overload_pb2.ResourceMonitor(
        name="envoy.resource_monitors.global_downstream_max_connections",
        typed_config=packed(limit),
    )
    return overload_pb2.OverloadManager(resource_monitors=[monitor])
