"""Models by name: loading, ready, failed, unknown."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.runtime.artifacts import ArtifactError
from services.runtime.config import ModelSettings, ServiceSettings, Settings
from services.runtime.errors import ModelFailedError, ModelLoadingError, ModelNotFoundError
from services.runtime.registry import Description, Registry

PATIENCE_S = 20.0
CPU = Description("cpu", 0)


@dataclass
class Model:
    name: str
    alive: bool = True
    description: Description = CPU

    def is_alive(self):
        return self.alive


def settings_of(*ids, aliases=()):
    return [ModelSettings(id=name, folder=Path(name), aliases=aliases) for name in ids]


def registry_of(models, **others):
    sections = {family: ServiceSettings(models=section) for family, section in others.items()}
    mesh = Settings(embeddings=ServiceSettings(models=models), **sections)
    return Registry("embeddings", models, mesh)


def load_all(registry, load):
    """Load every model and return the states after each of them."""
    states = []

    async def on_change():
        states.append([entry.state for entry in registry.entries])

    asyncio.run(asyncio.wait_for(registry.load_all(load, on_change), PATIENCE_S))
    return states


def load_good_ones(settings):
    if settings.id == "broken":
        raise ArtifactError("broken/config.json: there is no such file")
    if settings.id == "odd":
        raise RuntimeError("nobody expected this")
    return Model(settings.id)


def test_a_model_is_found_by_its_id_and_its_aliases_once_it_is_loaded():
    registry = registry_of(settings_of("a", aliases=("b", "c/d")))
    load_all(registry, load_good_ones)

    found = [registry.find(name) for name in ("a", "b", "c/d")]

    assert {(name, model.name) for name, model in found} == {("a", "a")}


def test_a_model_that_loads_says_try_again():
    registry = registry_of(settings_of("a"))

    with pytest.raises(ModelLoadingError, match="'a' is still loading") as refused:
        registry.find("a")

    assert refused.value.retry_after_s
    assert not registry.is_ready()


def test_a_broken_model_never_keeps_a_good_one_from_being_served():
    registry = registry_of(settings_of("broken", "odd", "good"))

    states = load_all(registry, load_good_ones)

    assert states == [
        ["failed", "loading", "loading"],
        ["failed", "failed", "loading"],
        ["failed", "failed", "ready"],
    ]
    assert registry.is_ready()
    assert registry.find("good")[1].name == "good"
    assert registry.entries[0].problem == "broken/config.json: there is no such file"
    assert registry.entries[1].problem == "RuntimeError: nobody expected this"


def test_a_failed_model_is_told_without_the_names_of_files():
    registry = registry_of(settings_of("broken"))
    load_all(registry, load_good_ones)

    with pytest.raises(ModelFailedError) as refused:
        registry.find("broken")

    assert str(refused.value) == "The model 'broken' could not be loaded."
    assert not registry.is_ready()


def test_models_load_in_a_thread_while_the_loop_goes_on():
    registry = registry_of(settings_of("a"))
    gate = threading.Event()

    def load(settings):
        assert gate.wait(PATIENCE_S)
        return Model(settings.id)

    async def on_change():
        pass

    async def scenario():
        loading = asyncio.create_task(registry.load_all(load, on_change))
        await asyncio.sleep(0.01)
        state = registry.entries[0].state
        gate.set()
        await asyncio.wait_for(loading, PATIENCE_S)
        return state, registry.entries[0].state

    assert asyncio.run(scenario()) == ("loading", "ready")


def test_an_unknown_name_hears_of_a_near_one():
    registry = registry_of(settings_of("all-MiniLM-L6-v2", "other"))

    with pytest.raises(ModelNotFoundError, match="Did you mean 'all-MiniLM-L6-v2'") as refused:
        registry.find("all-minilm-l6-v2")

    assert "GET /v1/models" in str(refused.value)


def test_an_unknown_name_that_is_near_to_nothing_hears_no_guess():
    registry = registry_of(settings_of("all-MiniLM-L6-v2"))

    with pytest.raises(ModelNotFoundError) as refused:
        registry.find("x" * 100_000)

    assert "Did you mean" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_model_of_another_endpoint_is_sent_there():
    registry = registry_of(settings_of("a"), chat=settings_of("talker", aliases=("gpt",)))

    for name in ("talker", "gpt"):
        with pytest.raises(ModelNotFoundError, match="POST /v1/chat/completions, not by POST /v1/"):
            registry.find(name)


def test_a_process_is_alive_while_every_loaded_engine_is():
    registry = registry_of(settings_of("a", "b", "broken"))
    before = registry.is_alive()
    load_all(registry, load_good_ones)
    loaded = registry.is_alive()

    registry.find("b")[1].alive = False

    assert (before, loaded, registry.is_alive()) == (True, True, False)
