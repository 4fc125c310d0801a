"""Models on their way into memory and out of it, in threads."""

import asyncio
import threading
import weakref

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.runtime.errors import ModelLoadingError
from tests.unit.runtime.served import (
    GatedLoad,
    Model,
    load_all,
    loading,
    play,
    registry_of,
    settings_of,
    until,
    until_settled,
)


def metric(name, model):
    return REGISTRY.get_sample_value(f"switchboard_model_{name}", {"model": model})


def test_a_broken_model_never_keeps_a_good_one_from_being_served():
    registry = registry_of(settings_of("broken", "odd", "good"))

    states = load_all(registry)

    assert states[-1] == ["failed", "failed", "ready"]
    assert all(one[0] == "failed" or one[1] == "loading" for one in states), "one after the other"
    assert [entry.detail for entry in registry.entries] == [
        "broken/config.json: there is no such file",
        "RuntimeError: nobody expected this",
        "",
    ]
    assert registry.is_ready()


def test_models_load_in_a_thread_while_the_loop_goes_on():
    registry = registry_of(settings_of("a"))
    gated = GatedLoad()

    async def scenario():
        async with loading(registry, gated):
            await asyncio.sleep(0.01)
            state = registry.entries[0].state
            gated.gate.set()
            await until_settled(registry)
            return state, registry.entries[0].state

    assert play(scenario) == ("loading", "ready")


def test_a_model_larger_than_the_memory_fails_and_names_both_numbers_and_the_setting():
    registry = registry_of(settings_of("large"), memory_bytes=2_000)

    async def scenario():
        async with loading(registry, estimate=lambda _: 3_000):
            await until_settled(registry)

    play(scenario)

    assert registry.entries[0].detail == (
        "the model takes 3,000 bytes of memory, more than all models together may"
        " (embeddings.memory_bytes is 2,000)"
    )


def test_a_model_that_turns_out_larger_than_the_memory_is_closed_again():
    registry = registry_of(settings_of("large"), memory_bytes=2_000)
    model = Model("large", memory_bytes=3_000)

    load_all(registry, lambda _: model)

    assert registry.entries[0].state == "failed"
    assert model.is_closed


def test_a_model_makes_room_for_another_and_nothing_of_it_is_left():
    registry = registry_of([*settings_of("a"), *settings_of("b", load="demand")], memory_bytes=1)
    first, second = registry.entries

    def shown():
        return [metric(name, model) for name in ("loaded", "memory_bytes") for model in "ab"]

    async def scenario():
        async with loading(registry):
            await until(lambda: shown() == [1, 0, 1, 0])
            gone = weakref.ref(first.served)
            registry.load(second)
            await until(lambda: shown() == [0, 1, 0, 1])
            return gone

    with capture_logs() as lines:
        gone = play(scenario)

    assert gone() is None
    assert (first.state, second.state) == ("unloaded", "ready")
    assert [line["event"] for line in lines] == ["model ready", "model unloaded", "model ready"]


def test_a_model_without_room_at_the_start_is_left_out_and_told_in_the_log():
    registry = registry_of(settings_of("a", "b", "c"), memory_bytes=2)

    with capture_logs() as lines:
        load_all(registry)

    assert [entry.state for entry in registry.entries] == ["ready", "ready", "unloaded"]
    (told,) = [line for line in lines if line["log_level"] == "warning"]
    assert (told["event"], told["model"]) == ("no room for the model at the start", "c")


def test_a_model_that_does_not_close_is_logged_and_makes_room_all_the_same():
    registry = registry_of(settings_of("sticky"))

    async def scenario():
        async with loading(registry):
            await until_settled(registry)
            registry.unload(registry.entries[0])
            await until_settled(registry)

    with capture_logs() as lines:
        play(scenario)

    assert registry.entries[0].state == "unloaded"
    assert "model did not close" in [line["event"] for line in lines]


def test_a_model_that_failed_is_tried_again_by_hand():
    registry = registry_of(settings_of("a"))
    outcomes = iter([OSError("no disk"), Model("a")])

    def load(_):
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def scenario():
        async with loading(registry, load):
            await until_settled(registry)
            failed = registry.entries[0].state
            registry.load(registry.entries[0])
            await until_settled(registry)
            return failed, registry.entries[0].state

    assert play(scenario) == ("failed", "ready")


def test_a_model_that_is_unloaded_while_it_loads_is_closed():
    registry = registry_of(settings_of("a"))
    gated = GatedLoad()
    models = []

    def load(settings):
        models.append(gated(settings))
        return models[-1]

    async def scenario():
        async with loading(registry, load):
            await until(lambda: registry.entries[0].began_s is not None)
            registry.unload(registry.entries[0])
            state = registry.entries[0].state
            gated.gate.set()
            await until_settled(registry)
            return state, registry.entries[0].state

    assert play(scenario) == ("unloading", "unloaded")
    assert models[0].is_closed


def test_models_come_and_go_while_callers_come_and_go(seeded):
    """No caller ever sees a closed model, and the memory is never exceeded."""
    sizes = {"a": 3, "b": 4, "c": 5, "d": 2}
    registry = registry_of(settings_of(*sizes, load="demand"), memory_bytes=8)
    held, most = 0, 0
    lock = threading.Lock()

    class Heavy(Model):
        def close(self):
            nonlocal held
            super().close()
            with lock:
                held -= self.memory_bytes

    def load(settings):
        nonlocal held, most
        with lock:
            held += sizes[settings.id]
            most = max(most, held)
        return Heavy(settings.id, sizes[settings.id])

    async def call(name):
        for _ in range(2000):
            try:
                with registry.lease(name) as model:
                    await asyncio.sleep(seeded.random() / 1000)
                    assert not model.is_closed
                    assert model.name == name
                    return
            except ModelLoadingError:
                await asyncio.sleep(0.002)
        raise AssertionError("nobody answered")

    async def scenario():
        async with loading(registry, load, lambda settings: sizes[settings.id]):
            calls = [asyncio.create_task(call(seeded.choice("abcd"))) for _ in range(60)]
            await asyncio.sleep(0.01)
            for task in calls[::7]:
                task.cancel()
            await asyncio.gather(*calls[1:7], *calls[8:14])
            await asyncio.gather(*calls, return_exceptions=True)
            assert not any(entry.place.users for entry in registry.entries)

    play(scenario)

    assert 0 < most <= 8
