"""Does what the residency says: measures, loads and closes models, in threads, and tells of it.

A broken folder never keeps a good one from being served.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from services.runtime import memory, telemetry
from services.runtime.artifacts import ArtifactError
from services.runtime.registry import Entry, ModelSettingsT, Registry, ServedT
from services.runtime.residency import Step

log = structlog.get_logger()

ResultT = TypeVar("ResultT")


class Loader(Generic[ModelSettingsT, ServedT]):
    """Loads and closes the models of a registry."""

    def __init__(
        self,
        models: Registry[ModelSettingsT, ServedT],
        load: Callable[[ModelSettingsT], ServedT],
        estimate: Callable[[ModelSettingsT], int] | None = None,
    ) -> None:
        """Take a registry, none of whose models is loaded.

        Args:
            models: The registry.
            load: Loads one model; called in a thread.
            estimate: Returns what a model is going to hold, in bytes, before it is loaded; called
                in a thread, where there is a limit. Without it a load is taken to need nothing.
        """
        self._models = models
        self._residency = models.residency
        self._load_model = load
        self._estimate = estimate
        self._entries = {entry.place: entry for entry in models.entries}

    async def run(self, on_change: Callable[[], Awaitable[None]]) -> None:
        """Do what is to be done, until cancelled.

        Args:
            on_change: Called when states may have changed.
        """
        async with asyncio.TaskGroup() as work:
            while True:
                self._models.stirred.clear()
                while step := self._residency.next_step():
                    work.create_task(self._take(step))
                for entry in self._models.entries:
                    _show(entry)
                await on_change()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._residency.wait_s()):
                        await self._models.stirred.wait()

    async def _take(self, step: Step) -> None:
        entry = self._entries[step.place]
        match step.action:
            case "measure":
                await self._measure(entry)
            case "load":
                await self._load(entry)
            case "close":
                await self._close(entry)
            case "leave_out":
                log.warning("no room for the model at the start", model=entry.settings.id)
        self._models.stirred.set()

    async def _measure(self, entry: Entry[ModelSettingsT, ServedT]) -> None:
        need_bytes = await self._attempt(entry, self._need_bytes)
        if need_bytes is not None:
            self._residency.measured(entry.place, need_bytes)

    async def _load(self, entry: Entry[ModelSettingsT, ServedT]) -> None:
        entry.began_s = began_s = time.perf_counter()
        entry.served = await self._attempt(entry, self._open)
        entry.began_s = None
        if entry.served is None:
            await asyncio.to_thread(memory.give_back)
            return
        entry.load_s = time.perf_counter() - began_s
        told = entry.served.description
        self._residency.loaded(entry.place, told.memory_bytes)
        telemetry.MODEL_LOAD_SECONDS.labels(entry.settings.id).set(entry.load_s)
        log.info(
            "model ready",
            model=entry.settings.id,
            provider=told.provider,
            seconds=round(entry.load_s, 2),
            memory_bytes=told.memory_bytes,
        )

    async def _close(self, entry: Entry[ModelSettingsT, ServedT]) -> None:
        try:
            await asyncio.to_thread(_dispose, entry)
        except Exception:
            log.exception("model did not close", model=entry.settings.id)
        self._residency.closed(entry.place)
        log.info("model unloaded", model=entry.settings.id)

    async def _attempt(
        self,
        entry: Entry[ModelSettingsT, ServedT],
        work: Callable[[ModelSettingsT], ResultT],
    ) -> ResultT | None:
        """Work in a thread; a failure ends the load and is kept in the entry and logged."""
        name = entry.settings.id
        try:
            return await asyncio.to_thread(work, entry.settings)
        except ArtifactError as error:
            entry.problem = str(error)
            log.error("model failed to load", model=name, problem=entry.problem)  # noqa: TRY400
        except Exception as error:
            entry.problem = f"{type(error).__name__}: {error}"
            log.exception("model failed to load", model=name)
        self._residency.failed(entry.place)
        return None

    def _need_bytes(self, settings: ModelSettingsT) -> int:
        need_bytes = self._estimate(settings) if self._estimate else 0
        self._check_limit(need_bytes)
        return need_bytes

    def _open(self, settings: ModelSettingsT) -> ServedT:
        served = self._load_model(settings)
        try:
            self._check_limit(served.description.memory_bytes)
        except ArtifactError:
            served.close()
            raise
        return served

    def _check_limit(self, need_bytes: int) -> None:
        """Refuse what would not fit even alone.

        Raises:
            ArtifactError: The model takes more than all models may.
        """
        limit_bytes = self._residency.limit_bytes
        if limit_bytes is not None and need_bytes > limit_bytes:
            raise ArtifactError(
                f"the model takes {need_bytes:,} bytes of memory, more than all models together"
                f" may ({self._models.family}.memory_bytes is {limit_bytes:,})"
            )


def _dispose(entry: Entry[ModelSettingsT, ServedT]) -> None:
    """Close a model and forget it, so that its memory is free when this returns."""
    served, entry.served = entry.served, None
    assert served is not None
    try:
        served.close()
    finally:
        del served
        memory.give_back()


def _show(entry: Entry[ModelSettingsT, ServedT]) -> None:
    """Bring the metrics of a model up to date."""
    name = entry.settings.id
    telemetry.MODEL_LOADED.labels(name).set(entry.state == "ready")
    telemetry.MODEL_MEMORY_BYTES.labels(name).set(entry.place.held_bytes)
