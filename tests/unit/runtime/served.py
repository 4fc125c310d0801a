"""Models that hold nothing, and a registry of them at work."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from services.runtime.artifacts import ArtifactError
from services.runtime.config import ModelSettings, ServiceSettings, Settings
from services.runtime.loading import Loader
from services.runtime.registry import Description, Registry

PATIENCE_S = 20.0


@dataclass
class Model:
    name: str
    memory_bytes: int = 1
    alive: bool = True
    is_closed: bool = False

    @property
    def description(self):
        return Description("cpu", 0, memory_bytes=self.memory_bytes)

    def is_alive(self):
        return self.alive

    def close(self):
        assert not self.is_closed
        self.is_closed = True
        if self.name == "sticky":
            raise RuntimeError("nobody expected this")


def load_good_ones(settings):
    if settings.id == "broken":
        raise ArtifactError("broken/config.json: there is no such file")
    if settings.id == "odd":
        raise RuntimeError("nobody expected this")
    return Model(settings.id)


class GatedLoad:
    """Loads a model when the test says so."""

    def __init__(self):
        self.gate = threading.Event()

    def __call__(self, settings):
        assert self.gate.wait(PATIENCE_S)
        return load_good_ones(settings)


def settings_of(*ids, aliases=(), load="start"):
    return [ModelSettings(id=name, folder=Path(name), aliases=aliases, load=load) for name in ids]


def registry_of(models, memory_bytes=None, **others):
    sections = {family: ServiceSettings(models=section) for family, section in others.items()}
    own = ServiceSettings(models=models, memory_bytes=memory_bytes)
    return Registry("embeddings", models, Settings(embeddings=own, **sections))


def states_of(registry):
    return [entry.state for entry in registry.entries]


@asynccontextmanager
async def loading(registry, load=load_good_ones, estimate=lambda _: 1):
    """Have a registry's models loaded while the context lasts; yield what states were seen."""
    seen = []

    async def on_change():
        registry.residency.check_integrity()
        states = states_of(registry)
        if not seen or seen[-1] != states:
            seen.append(states)

    task = asyncio.create_task(Loader(registry, load, estimate).run(on_change))
    try:
        yield seen
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(is_true):
    """Wait until something is true."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.001)


async def until_settled(registry):
    """Wait until nothing is on its way."""
    await until(lambda: all(not entry.state.endswith("ing") for entry in registry.entries))


def play(scenario):
    """Run a scenario to its end, with patience but not without end."""

    async def bounded():
        return await asyncio.wait_for(scenario(), 2 * PATIENCE_S)

    return asyncio.run(bounded())


def load_all(registry, load=load_good_ones):
    """Load every model of the start; return the states that were seen."""

    async def scenario():
        async with loading(registry, load) as seen:
            await until_settled(registry)
            # The loader tells of a change after it; the last one may not be told of yet.
            await until(lambda: seen and seen[-1] == states_of(registry))
            return seen

    return play(scenario)
