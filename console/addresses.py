"""Where the parts of the mesh are reached: for programs on this machine, and for people to read."""

from services.runtime.config import Settings

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened on
"""An address that stands for every one, and one of them."""

_LOOPBACK = ("127.0.0.1", "::1")


def reachable(host: str) -> str:
    """Return an address under which what listens on `host` is reached from this machine."""
    return _EVERY_ADDRESS.get(host, host)


def address(host: str, port: int) -> str:
    """Return `host:port` for a program on this machine."""
    return _joined(reachable(host), port)


def readable(host: str, port: int) -> str:
    """Return `host:port` for people on this machine: `localhost` where that is meant."""
    near = reachable(host)
    return _joined("localhost" if near in _LOOPBACK else near, port)


def gateway_url(settings: Settings) -> str:
    """Return the gateway's URL for people, such as `http://localhost:8080`."""
    return f"http://{readable(settings.gateway.host, settings.gateway.port)}"


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
