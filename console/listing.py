"""`switchboard models list`: the models of a running mesh, or else those of the settings."""

import sys
from pathlib import Path

import msgspec
import typer

from console.addresses import gateway_url
from console.directory import Directory, MeshError, Model
from console.screen import Screen
from console.tables import models_table
from services.runtime.config import Settings, load
from services.runtime.registry import ENDPOINTS


def run(path: Path, url: str | None, *, as_json: bool) -> bool:
    """Show the models; return whether the mesh itself told them.

    Args:
        path: The settings file.
        url: The gateway; None takes that of the settings.
        as_json: Write the objects of `GET /v1/models` as a JSON list instead of a table.

    Raises:
        ConfigError: The settings were needed and are wrong.
    """
    try:
        models, told = Directory(url or gateway_url(load(path))).models(), True
    except MeshError as error:
        models, told = configured_models(load(path)), False
        typer.echo(f"switchboard: {error}. {path} names:", err=True)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(models)))
    else:
        typer.echo(Screen(sys.stdout).draw(models_table(models)), nl=False)
    return told


def configured_models(settings: Settings) -> tuple[Model, ...]:
    """Return the models as a front desk would list them while no service answers."""
    return tuple(
        Model(
            id=model.id,
            state="unavailable",
            state_detail="",
            aliases=model.aliases,
            endpoint=ENDPOINTS[family],
            owned_by=model.owned_by,
        )
        for family, section in settings.services.items()
        for model in section.models
    )
