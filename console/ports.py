"""The ports that the settings name: which they are, whether they are free, and free ones."""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from console.config import Overrides, variable
from console.sockets import holder
from services.runtime.config import Settings

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port that a process of the mesh will listen on."""

    section: str
    """The table of the settings file, such as `gateway`."""
    key: str
    """The key in that table, such as `admin_port`."""
    host: str
    """The address."""
    number: int
    """The port; 0 for one that is not chosen yet."""

    @property
    def setting(self) -> str:
        """The setting's name, such as `gateway.admin_port`."""
        return f"{self.section}.{self.key}"


def ports(settings: Settings) -> list[Port]:
    """Return every port that the mesh listens on; metrics that are off have none."""
    return list(_ports(settings))


def _ports(settings: Settings) -> Iterator[Port]:
    gateway = settings.gateway
    yield Port("gateway", "port", gateway.host, gateway.port)
    yield Port("gateway", "admin_port", LOOPBACK, gateway.admin_port)
    for name, section in (("frontdesk", settings.frontdesk), *settings.services.items()):
        yield Port(name, "port", section.host, section.port)
        if section.metrics_port:
            yield Port(name, "metrics_port", section.host, section.metrics_port)


def chosen(settings: Settings) -> Overrides:
    """Choose a free port for each that the settings leave open with 0."""
    return {
        (port.section, port.key): _free(port.host) for port in ports(settings) if not port.number
    }


def problems(settings: Settings) -> list[str]:
    """Say which ports cannot be listened on, why, and what to do; empty when all can be."""
    found: list[str] = []
    known: dict[int, Port] = {}
    for port in ports(settings):
        twin = known.setdefault(port.number, port)
        if twin is not port:
            found.append(f"{port.setting} and {twin.setting} are both {port.number}")
        elif problem := obstacle(port):
            found.append(problem)
    return found


def obstacle(port: Port) -> str | None:
    """Say why the port cannot be listened on, or None when it can."""
    error = _try_listen(port)
    if error is None:
        return None
    place = f"{port.setting}: {port.host}:{port.number}"
    if error.errno == errno.EADDRINUSE:
        other = f"{variable(port.section, port.key)}={port.number + 1}"
        return f"{place} is in use{_by_whom(port.number)}; stop that, or set {other}"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{place}: '{port.host}' is no address of this machine; set {port.section}.host"
    return f"{place} cannot be listened on: {error.strerror}"


def _try_listen(port: Port) -> OSError | None:
    """Listen for a moment, as a server would; return what is in the way."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            port.host, port.number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            # Connections of the last run that linger in TIME_WAIT are no obstacle.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
    except OSError as error:
        return error
    return None


def _by_whom(number: int) -> str:
    process = holder(number)
    return f" by {process}" if process else ""


def _free(host: str) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.bind(address)
        number: int = listener.getsockname()[1]
    return number
