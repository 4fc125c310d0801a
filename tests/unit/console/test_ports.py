"""The ports of a mesh."""

import os
import socket
from collections.abc import Iterator

import pytest

from console import ports
from console.config import overridden
from console.sockets import holder
from services.runtime.config import Settings


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def number(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def on_free_ports(settings: Settings) -> Settings:
    every = {(port.section, port.key): 0 for port in ports.ports(settings)}
    opened = overridden(settings, {name: 0 for name in every if name[1] != "metrics_port"})
    opened = overridden(opened, {(name, "metrics_port"): 0 for name in ("embeddings", "frontdesk")})
    return overridden(opened, ports.chosen(opened))


def test_every_port_of_the_mesh_is_known_by_its_setting(settings: Settings) -> None:
    assert [(port.setting, port.number) for port in ports.ports(settings)] == [
        ("gateway.port", 8080),
        ("gateway.admin_port", 9901),
        ("frontdesk.port", 50050),
        ("frontdesk.metrics_port", 9100),
        ("embeddings.port", 50054),
        ("embeddings.metrics_port", 9104),
    ]


def test_open_ports_are_chosen_and_free(settings: Settings) -> None:
    settings = on_free_ports(settings)

    assert all(port.number for port in ports.ports(settings))
    assert ports.problems(settings) == []


def test_a_port_in_use_is_told_with_its_setting_its_holder_and_a_remedy(
    settings: Settings, listener: socket.socket
) -> None:
    taken = number(listener)
    settings = overridden(on_free_ports(settings), {("gateway", "port"): taken})

    [problem] = ports.problems(settings)

    assert problem.startswith(
        f"gateway.port: 127.0.0.1:{taken} is in use by process {os.getpid()} ("
    )
    assert problem.endswith(f"; stop that, or set SWITCHBOARD_GATEWAY__PORT={taken + 1}")


def test_connections_that_linger_are_no_obstacle(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = number(server)
        client = socket.create_connection(("127.0.0.1", taken))
        accepted, _ = server.accept()
        accepted.close()  # this side closes first, so its port stays in TIME_WAIT
        client.close()

    settings = overridden(on_free_ports(settings), {("gateway", "port"): taken})
    assert ports.problems(settings) == []


def test_two_settings_with_one_port_are_told(settings: Settings) -> None:
    settings = on_free_ports(settings)
    settings = overridden(settings, {("embeddings", "port"): settings.gateway.port})

    assert ports.problems(settings) == [
        f"embeddings.port and gateway.port are both {settings.gateway.port}"
    ]


def test_an_address_of_another_machine_is_told(settings: Settings) -> None:
    settings = overridden(on_free_ports(settings), {("gateway", "host"): "192.0.2.1"})

    [problem] = ports.problems(settings)

    assert problem.endswith("'192.0.2.1' is no address of this machine; set gateway.host")


def test_nobody_holds_a_free_port() -> None:
    assert holder(1) is None
