"""Settings -> the programs that make a mesh on this machine."""

import sys
from collections.abc import Mapping
from pathlib import Path

from console.addresses import address, reachable
from console.health import GrpcProbe, HttpProbe
from console.supervision.program import Program
from gateway.bootstrap import render
from services.runtime.config import ServiceSettings, Settings

FRONT_DESK = "frontdesk"
GATEWAY = "gateway"

MARGIN_S = 5.0
"""After its drain, how long a process may take to end."""

Stages = list[list[Program]]


FLUSHING = ("--file-flush-interval-msec", "250")
"""Lines of the access log come as the calls do; by default Envoy holds them for ten seconds."""


def stages(settings: Settings, environment: Mapping[str, str], envoy: Path) -> Stages:
    """Return the programs in the order in which they end.

    The services drain while the gateway still carries their answers; the front desk outlives both,
    because the gateway asks it about every call.

    Args:
        settings: Every port in them is a fixed one.
        environment: The whole environment of each program.
        envoy: The Envoy binary.

    Raises:
        ConfigError: A setting that Envoy would not take.
    """
    families = [
        _service(family, f"services.{family}", section, environment)
        for family, section in settings.services.items()
    ]
    desk = _service(FRONT_DESK, "gateway.frontdesk", settings.frontdesk, environment)
    return [families, [_gateway(settings, environment, envoy)], [desk]]


def _service(
    name: str, module: str, section: ServiceSettings, environment: Mapping[str, str]
) -> Program:
    return Program(
        name=name,
        # -P: a folder `services` in the working directory is not ours.
        command=(sys.executable, "-P", "-m", module),
        environment=environment,
        ready=GrpcProbe(address(section.host, section.port)),
        stop_grace_s=section.drain_delay_s + section.drain_grace_s + MARGIN_S,
    )


def _gateway(settings: Settings, environment: Mapping[str, str], envoy: Path) -> Program:
    gateway = settings.gateway
    log = (*("--log-level", _log_level(settings)), *("--log-format", _log_format(settings)))
    return Program(
        name=GATEWAY,
        command=(
            str(envoy),
            "--config-path",
            "/dev/fd/0",
            "--disable-hot-restart",
            *FLUSHING,
            *log,
        ),
        environment=environment,
        ready=HttpProbe(reachable(gateway.host), gateway.port, "/healthz"),
        stop_grace_s=MARGIN_S,
        stdin=render(settings).encode(),
    )


def _log_level(settings: Settings) -> str:
    """Envoy's level: what it calls info is its own start, in a hundred lines.

    What it calls debug are the headers of every call, keys of callers among them.
    """
    return {"info": "warning", "debug": "info"}.get(settings.log.level, settings.log.level)


def _log_format(settings: Settings) -> str:
    """Envoy's lines in the form of the others.

    Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/cli (--log-format)
    """
    if settings.log.format == "console":
        return "%Y-%m-%dT%H:%M:%S.%f%z [%-8l] %v"
    return (
        '{"event": "%j", "level": "%l", "logger": "%n", '
        '"timestamp": "%Y-%m-%dT%H:%M:%S.%f%z", "service": "gateway"}'
    )
