"""What the console shows: models, endpoints, addresses, and a call to try."""

import json
import math
import shlex
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.addresses import gateway_url, readable
from console.directory import Endpoint, Model
from console.ports import LOOPBACK
from console.screen import Screen
from services.runtime.config import Settings

_STYLES = {
    "ready": "green",
    "loading": "yellow",
    "unloading": "yellow",
    "unloaded": "dim",
    "failed": "bold red",
    "unavailable": "red",
}

MIB = 2**20
GIB = 2**30

_BODIES = {"POST /v1/embeddings": {"input": "One number for every model."}}
"""For each endpoint that is asked in JSON, what to send besides the model."""


def overview(
    screen: Screen, settings: Settings, models: Sequence[Model], endpoints: Iterable[Endpoint]
) -> str:
    """Return all that a person who has just started a mesh wants to see."""
    tables = (models_table(models), endpoints_table(endpoints), addresses_table(settings))
    drawn = "".join(screen.draw(table) for table in tables)
    return f"{drawn}\n{example(settings, models)}\n\n"


def models_table(models: Iterable[Model]) -> RenderableType:
    """Show each model, and below the table why some are not ready."""
    table = _table("Model", "Aliases", "State", "Memory", "Runs on", "Endpoint")
    reasons = []
    for model in models:
        aliases = ", ".join(model.aliases) or "-"
        held = memory(model.memory_mib * MIB)
        runs_on = model.provider or "-"
        _add(table, model.id, aliases, _state(model.state), held, runs_on, model.endpoint)
        if model.state_detail:
            reason = Text.assemble((model.id, "bold"), f": {model.state_detail}", overflow="fold")
            reasons.append(Padding(reason, (0, 2)))
    return Group(table, *reasons)


def memory(size_bytes: int) -> str:
    """Return a size in words: MiB, or GiB where it is one."""
    if not size_bytes:
        return "-"
    if size_bytes < GIB:
        return f"{math.ceil(size_bytes / MIB)} MiB"
    return f"{size_bytes / GIB:.1f} GiB"


def endpoints_table(endpoints: Iterable[Endpoint]) -> RenderableType:
    """Show each endpoint and the service behind it."""
    table = _table("Endpoint", "Service", "State", "Models")
    for endpoint in endpoints:
        path = f"{endpoint.method:<4} {endpoint.path}"
        models = ", ".join(endpoint.models) or "-"
        _add(table, path, endpoint.service, _state(endpoint.state), models)
    return table


def addresses_table(settings: Settings) -> RenderableType:
    """Show where the mesh is reached."""
    gateway = settings.gateway
    parts = {**settings.services, "frontdesk": settings.frontdesk}
    table = _table("Reached by", "Address", "What answers")
    _add(table, "REST", f"{gateway_url(settings)}/v1", "the base_url of the OpenAI SDKs")
    _add(table, "gRPC", readable(gateway.host, gateway.port), "every service, through the gateway")
    for name, section in parts.items():
        _add(table, "gRPC", readable(section.host, section.port), name)
    for name, section in parts.items():
        if section.metrics_port:
            url = f"http://{readable(section.host, section.metrics_port)}/metrics"
            _add(table, "metrics", url, name)
    admin = readable(LOOPBACK, gateway.admin_port)
    _add(table, "metrics", f"http://{admin}/stats/prometheus", "gateway")
    return table


def example(settings: Settings, models: Iterable[Model]) -> str:
    """Return a command that works now, in bash: a call of the first model that is ready."""
    url = gateway_url(settings)
    for model in models:
        body = _BODIES.get(model.endpoint)
        if model.state == "ready" and body:
            path = model.endpoint.partition(" ")[2]
            data = shlex.quote(json.dumps({"model": model.id, **body}, ensure_ascii=False))
            return f"curl {url}{path} \\\n  -H 'content-type: application/json' \\\n  -d {data}"
    return f"curl {url}/v1/models"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _add(table: Table, *cells: str | Text) -> None:
    """Add a row as it is: what looks like rich's markup is text."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))


def _state(state: str) -> Text:
    return Text(state, _STYLES.get(state, ""))
