"""Where things listen and where they are found."""

import ipaddress

from envoy.config.core.v3 import address_pb2

from services.runtime.config import ConfigError

LOOPBACK = "127.0.0.1"


def address(host: str, port: int) -> address_pb2.Address:
    """Return a TCP address; the host is an IP address, or a name where Envoy resolves it."""
    return address_pb2.Address(
        socket_address=address_pb2.SocketAddress(address=host, port_value=port)
    )


def listening_address(host: str, port: int) -> address_pb2.Address:
    """Return an address to listen on, which Envoy takes as numbers only.

    Raises:
        ConfigError: The host is a name.
    """
    host = LOOPBACK if host == "localhost" else host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(
            f"gateway.host: '{host}' is a name; an address is needed, such as 127.0.0.1 or 0.0.0.0"
        ) from None
    return address(host, port)
