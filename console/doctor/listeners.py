"""Whether the ports of the mesh are free; a mesh that runs already is no trouble."""

import asyncio
from collections.abc import Iterator

from console.addresses import reachable
from console.doctor.finding import Finding, Verdict
from console.health import HttpProbe
from console.ports import obstacle, ports
from services.runtime.config import Settings


def listeners(settings: Settings) -> Iterator[Finding]:
    """Tell for each port whether it can be listened on."""
    gateway = settings.gateway
    running = asyncio.run(HttpProbe(reachable(gateway.host), gateway.port, "/healthz")())
    for port in ports(settings):
        place = f"{port.host}:{port.number}"
        problem = obstacle(port) if port.number else None
        if problem is None:
            yield Finding(port.setting, Verdict.OK, f"{place} is free" if port.number else "any")
        elif running:
            yield Finding(port.setting, Verdict.OK, f"{place} is in use: the mesh is running")
        else:
            detail, _, remedy = problem.removeprefix(f"{port.setting}: ").partition("; ")
            yield Finding(port.setting, Verdict.MISSING, detail, remedy)
