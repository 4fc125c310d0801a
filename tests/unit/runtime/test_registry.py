"""Models by name: who gets one, and what the others hear."""

import asyncio
from contextlib import suppress

import pytest

from services.runtime.errors import (
    ModelFailedError,
    ModelLoadingError,
    ModelNotFoundError,
    ModelUnloadedError,
)
from services.runtime.residency import SETTLING_S
from tests.unit.runtime.served import (
    GatedLoad,
    load_all,
    loading,
    play,
    registry_of,
    settings_of,
    until,
    until_settled,
)


def refusal(registry, name, error):
    with pytest.raises(error) as refused, registry.lease(name):
        pass
    return refused.value


def test_a_model_is_found_by_its_id_and_its_aliases_once_it_is_loaded():
    registry = registry_of(settings_of("a", aliases=("b", "c/d")))
    load_all(registry)

    names = set()
    for name in ("a", "b", "c/d"):
        with registry.lease(name) as model:
            names.add(model.name)

    assert names == {"a"}


def test_a_model_that_loads_says_try_again():
    registry = registry_of(settings_of("a"))

    refused = refusal(registry, "a", ModelLoadingError)

    assert str(refused) == "The model 'a' is loading. Try again in 5 s."
    assert refused.retry_after_s == 5.0
    assert not registry.is_ready()


def test_a_failed_model_is_told_without_the_names_of_files():
    registry = registry_of(settings_of("broken"))
    load_all(registry)

    refused = refusal(registry, "broken", ModelFailedError)

    assert str(refused) == "The model 'broken' could not be loaded."
    assert not registry.is_ready()


def test_a_model_on_demand_is_loaded_by_its_first_caller_who_is_told_to_come_back():
    registry = registry_of(settings_of("a", load="demand"))

    async def scenario():
        async with loading(registry):
            await until(registry.is_ready)
            before = registry.entries[0].state, registry.entries[0].detail
            refused = refusal(registry, "a", ModelLoadingError)
            await until_settled(registry)
            with registry.lease("a") as model:
                return before, refused, model.name

    before, refused, name = play(scenario)

    assert before == ("unloaded", "It is loaded when somebody asks for it.")
    assert refused.retry_after_s == 5.0
    assert name == "a"


def test_a_leased_model_stays_until_the_lease_is_over_however_it_ends():
    registry = registry_of(settings_of("a", "b", load="demand"), memory_bytes=1)

    async def work():
        with registry.lease("a"):
            await asyncio.Event().wait()

    async def scenario():
        async with loading(registry):
            refusal(registry, "a", ModelLoadingError)
            await until_settled(registry)
            tasks = [asyncio.create_task(work()) for _ in range(3)]
            await asyncio.sleep(0)
            with suppress(ZeroDivisionError), registry.lease("a"):
                refusal(registry, "b", ModelLoadingError)
                raise ZeroDivisionError
            states = [entry.state for entry in registry.entries]
            for task in tasks:
                assert registry.entries[0].served is not None
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await until_settled(registry)
            return states, [entry.state for entry in registry.entries]

    assert play(scenario) == (["ready", "loading"], ["unloaded", "ready"])


def test_a_model_that_leaves_takes_no_callers_and_says_whom_it_waits_for():
    registry = registry_of(settings_of("a"))

    async def scenario():
        async with loading(registry):
            await until_settled(registry)
            with registry.lease("a") as model:
                registry.unload(registry.find("a"))
                refused = refusal(registry, "a", ModelUnloadedError)
                leaving = registry.entries[0].state, registry.entries[0].detail
                assert not model.is_closed
            await until_settled(registry)
            assert model.is_closed
            return refused, leaving

    refused, leaving = play(scenario)

    assert "unloaded by whoever runs this server" in str(refused)
    assert leaving == ("unloading", "Calls in flight that it waits for: 1.")


def test_a_model_that_was_unloaded_by_hand_is_loaded_by_hand_only():
    registry = registry_of(settings_of("a"))
    entry = registry.find("a")

    async def scenario():
        async with loading(registry):
            await until_settled(registry)
            registry.unload(entry)
            await until_settled(registry)
            refusal(registry, "a", ModelUnloadedError)
            out = entry.state, entry.detail, registry.is_ready()
            registry.load(entry)
            refusal(registry, "a", ModelLoadingError)
            await until_settled(registry)
            return out, entry.state

    out, after = play(scenario)

    assert out == ("unloaded", "Unloaded by hand; `switchboard models load a` loads it.", True)
    assert after == "ready"


def test_a_model_on_demand_that_was_unloaded_by_hand_comes_back_with_its_next_caller():
    registry = registry_of(settings_of("a", load="demand"))
    entry = registry.find("a")

    async def scenario():
        async with loading(registry):
            for _ in range(2):
                refusal(registry, "a", ModelLoadingError)
                await until_settled(registry)
                assert entry.state == "ready"
                registry.unload(entry)
                await until_settled(registry)
                assert entry.state == "unloaded"

    play(scenario)


def test_a_model_that_made_room_comes_back_with_its_next_caller_whatever_its_settings():
    registry = registry_of([*settings_of("a"), *settings_of("b", load="demand")], memory_bytes=1)

    async def scenario():
        async with loading(registry):
            for name, other in ("ba", "ab", "ba"):
                await until_settled(registry)
                refusal(registry, name, ModelLoadingError)
                await until_settled(registry)
                assert registry.find(other).state == "unloaded"
                with registry.lease(name):
                    pass

    play(scenario)


def test_the_time_to_come_back_is_what_is_left_of_the_last_load():
    registry = registry_of(settings_of("a", load="demand"))
    entry = registry.find("a")
    gated = GatedLoad()

    def told():
        return refusal(registry, "a", ModelLoadingError).retry_after_s

    async def scenario():
        async with loading(registry, gated):
            first = told()
            await until(lambda: entry.began_s is not None)
            entry.began_s -= 3.0
            later = told()
            entry.began_s -= 17.0
            overdue = told()
            gated.gate.set()
            await until_settled(registry)
            return first, later, overdue

    assert play(scenario) == (5.0, 2.0, 11.0)
    assert entry.load_s < 5.0
    entry.load_s = 1e9
    assert entry.retry_after_s() == SETTLING_S
    entry.load_s = 0.0
    assert entry.retry_after_s() == 1.0


def test_a_service_is_ready_unless_everything_failed_or_the_start_is_still_to_come():
    on_demand, mixed = (
        registry_of([*settings_of(*start), *settings_of("demand", load="demand")])
        for start in ((), ("broken",))
    )
    failed = registry_of(settings_of("broken", "odd"))
    empty = registry_of([])

    assert (on_demand.is_ready(), mixed.is_ready()) == (True, False)
    load_all(mixed)
    load_all(failed)
    assert (mixed.is_ready(), failed.is_ready(), empty.is_ready()) == (True, False, False)


def test_an_unknown_name_hears_of_a_near_one():
    registry = registry_of(settings_of("all-MiniLM-L6-v2", "other"))

    refused = refusal(registry, "all-minilm-l6-v2", ModelNotFoundError)

    assert "Did you mean 'all-MiniLM-L6-v2'" in str(refused)
    assert "GET /v1/models" in str(refused)


def test_an_unknown_name_that_is_near_to_nothing_hears_no_guess():
    registry = registry_of(settings_of("all-MiniLM-L6-v2"))

    refused = refusal(registry, "x" * 100_000, ModelNotFoundError)

    assert "Did you mean" not in str(refused)
    assert len(str(refused)) < 500


def test_a_model_of_another_endpoint_is_sent_there():
    registry = registry_of(settings_of("a"), chat=settings_of("talker", aliases=("gpt",)))

    for name in ("talker", "gpt"):
        refused = refusal(registry, name, ModelNotFoundError)
        assert "POST /v1/chat/completions, not by POST /v1/" in str(refused)


def test_a_process_is_alive_while_every_loaded_engine_is():
    registry = registry_of(settings_of("a", "b", "broken"))
    before = registry.is_alive()
    load_all(registry)
    loaded = registry.is_alive()

    registry.entries[1].served.alive = False

    assert (before, loaded, registry.is_alive()) == (True, True, False)
