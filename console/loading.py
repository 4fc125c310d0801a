"""`switchboard models load` and `unload`: tells a model's service, and waits until it is done."""

import time
from pathlib import Path
from typing import Literal

import typer
from switchboard.runtime.v1.runtime_pb2 import ServedModel

from console.addresses import address
from console.service import OrderError, Service
from console.tables import memory
from services.runtime.config import ModelSettings, Settings, load
from services.runtime.errors import hint_at

LOOK_INTERVAL_S = 0.2

Order = Literal["load", "unload"]

_ON_THE_WAY: dict[Order, set[str]] = {"load": {"loading", "unloading"}, "unload": {"unloading"}}
"""States of a model for which an order is still to be carried out."""


def run(path: Path, name: str, order: Order) -> bool:
    """Give the order and wait; return whether the model is as it was wanted.

    Args:
        path: The settings file.
        name: The model's id or an alias.
        order: What to do with it.

    Raises:
        ConfigError: The settings are wrong.
        OrderError: No service has the model, or it does not answer.
    """
    settings = load(path)
    family, model = find(settings, name)
    section = settings.services[family]
    if not section.port:
        raise OrderError(f"{family}.port is 0, so nobody knows where the service listens")
    began_s = time.monotonic()
    with Service(family, address(section.host, section.port)) as service:
        told = _obeyed(service, model.id, order)
    typer.echo(_outcome(told, time.monotonic() - began_s))
    return told.state == "ready" if order == "load" else told.state != "failed"


def find(settings: Settings, name: str) -> tuple[str, ModelSettings]:
    """Return the model behind an id or alias, with its family.

    Raises:
        OrderError: No enabled service has it.
    """
    models = {
        known: (family, model)
        for family, section in settings.services.items()
        for model in section.models
        for known in model.names
    }
    if name not in models:
        raise OrderError(f"no service has a model '{name}'.{hint_at(name, models)}")
    return models[name]


def _obeyed(service: Service, model: str, order: Order) -> ServedModel:
    """Give the order, say how it goes, and return how the model is when that is over."""
    told = service.load(model) if order == "load" else service.unload(model)
    said = ""
    while told.state in _ON_THE_WAY[order]:
        if (line := _progress(told)) != said:
            typer.echo(line, err=True)
            said = line
        time.sleep(LOOK_INTERVAL_S)
        told = service.look(model)
    return told


def _progress(model: ServedModel) -> str:
    return f"{model.id} is {model.state}" + (f": {model.detail}" if model.detail else " …")


def _outcome(model: ServedModel, seconds: float) -> str:
    if model.state == "ready":
        held = memory(model.memory_bytes)
        return f"{model.id} is ready after {seconds:.1f} s: {held} on {model.provider}"
    if model.state == "loading":
        return f"{model.id} was unloaded, and is loading: somebody asked for it"
    return f"{model.id} is {model.state}: {model.detail}"
