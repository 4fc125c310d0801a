"""What a starting mesh is waited for."""

import pytest

from console.config import overridden
from console.directory import Model
from console.supervision.keeper import Phase
from console.waiting import waiting_for
from services.runtime.config import Settings

READY = {"embeddings": Phase.READY, "gateway": Phase.READY, "frontdesk": Phase.READY}
STARTING = dict.fromkeys(READY, Phase.STARTING)
EVERY_SERVICE = {"embeddings", "frontdesk"}


def models(small: str, large: str) -> tuple[Model, ...]:
    return (Model(id="small", state=small), Model(id="large", state=large))


def test_at_first_everything_is_waited_for(settings: Settings) -> None:
    assert waiting_for(settings, STARTING, (), ()) == ["embeddings", "gateway", "frontdesk"]


def test_nothing_is_waited_for_once_all_is_ready(settings: Settings) -> None:
    assert waiting_for(settings, READY, models("ready", "ready"), EVERY_SERVICE) == []


@pytest.mark.parametrize("phase", [Phase.READY, Phase.STARTING])
def test_a_model_that_loads_is_waited_for_by_name(settings: Settings, phase: Phase) -> None:
    phases = {**READY, "embeddings": phase}

    waiting = waiting_for(settings, phases, models("ready", "loading"), EVERY_SERVICE)

    assert waiting == ["embeddings (loads large)"]


def test_models_that_failed_are_not_waited_for(settings: Settings) -> None:
    phases = {**READY, "embeddings": Phase.STARTING}

    assert waiting_for(settings, phases, models("failed", "failed"), {"frontdesk"}) == []


@pytest.mark.parametrize("state", ["unloaded", "unloading"])
def test_models_that_are_loaded_when_they_are_asked_for_are_not_waited_for(
    settings: Settings, state: str
) -> None:
    assert waiting_for(settings, READY, models(state, state), EVERY_SERVICE) == []


def test_a_service_without_models_is_not_waited_for(settings: Settings) -> None:
    settings = overridden(settings, {("embeddings", "models"): ()})
    phases = {**READY, "embeddings": Phase.STARTING}

    assert waiting_for(settings, phases, (), {"frontdesk"}) == []


def test_a_service_that_the_gateway_has_not_seen_is_waited_for(settings: Settings) -> None:
    waiting = waiting_for(settings, READY, models("ready", "ready"), {"frontdesk"})

    assert waiting == ["embeddings (the gateway has not seen it yet)"]


def test_a_program_that_died_is_waited_for_and_one_that_is_over_is_not(settings: Settings) -> None:
    paused = {**READY, "embeddings": Phase.PAUSED}
    over = {**READY, "embeddings": Phase.OVER}

    assert waiting_for(settings, paused, (), {"frontdesk"}) == [
        "embeddings (is started again soon)"
    ]
    assert waiting_for(settings, over, (), {"frontdesk"}) == []
