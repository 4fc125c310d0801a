"""The models of a process by name: loading, ready or failed, and what an unknown name hears.

Models load in a thread while the server already answers, so a broken folder never keeps a good one
from being served.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import structlog

from services.runtime import telemetry
from services.runtime.artifacts import ArtifactError
from services.runtime.config import ModelSettings, Settings
from services.runtime.errors import (
    ModelFailedError,
    ModelLoadingError,
    ModelNotFoundError,
    hint_at,
    shown,
)

log = structlog.get_logger()

ENDPOINTS = {
    "chat": "POST /v1/chat/completions",
    "images": "POST /v1/images/generations",
    "audio": "POST /v1/audio/transcriptions",
    "embeddings": "POST /v1/embeddings",
}
"""The endpoint that a family's models are for, as messages name it."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a ready model tells about itself."""

    provider: str
    """`cuda` or `cpu`."""
    created: int
    """When its files were written, in seconds since 1970."""
    context_length: int = 0
    """The longest input, in tokens; 0 where that has no meaning."""
    dimensions: int = 0
    """Width of the vectors of an embedding model, else 0."""


class Served(Protocol):
    """What the registry needs to know of a loaded model."""

    @property
    def description(self) -> Description:
        """What the model tells about itself."""

    def is_alive(self) -> bool:
        """Tell whether its engine makes progress."""


ServedT = TypeVar("ServedT", bound=Served)
ModelSettingsT = TypeVar("ModelSettingsT", bound=ModelSettings)


@dataclass(slots=True)
class Entry(Generic[ModelSettingsT, ServedT]):
    """A model of the settings, and how far it has come."""

    settings: ModelSettingsT
    served: ServedT | None = None
    problem: str | None = None
    """Why it failed to load."""

    @property
    def state(self) -> Literal["loading", "ready", "failed"]:
        """The state, as `GET /v1/models` shows it."""
        if self.served is not None:
            return "ready"
        return "loading" if self.problem is None else "failed"


class Registry(Generic[ModelSettingsT, ServedT]):
    """The models of one family's process."""

    def __init__(self, family: str, models: Sequence[ModelSettingsT], mesh: Settings) -> None:
        self._family = family
        self._mesh = mesh
        self.entries = [Entry[ModelSettingsT, ServedT](model) for model in models]
        self._by_name = {name: entry for entry in self.entries for name in entry.settings.names}

    async def load_all(
        self,
        load: Callable[[ModelSettingsT], ServedT],
        on_change: Callable[[], Awaitable[None]],
    ) -> None:
        """Load every model, one after the other; a failure is kept in its entry and logged.

        Args:
            load: Loads one model; called in a thread.
            on_change: Called after each model.
        """
        for entry in self.entries:
            await self._load(entry, load)
            await on_change()

    def find(self, name: str) -> tuple[str, ServedT]:
        """Return the id and the model behind a name.

        Raises:
            ModelNotFoundError: Nobody serves the name, or another endpoint does.
            ModelLoadingError: The model is not ready yet.
            ModelFailedError: The model could not be loaded.
        """
        entry = self._by_name.get(name)
        if entry is None:
            raise ModelNotFoundError(self._unknown(name))
        if entry.served is not None:
            return entry.settings.id, entry.served
        if entry.problem is None:
            raise ModelLoadingError(f"The model '{entry.settings.id}' is still loading. Try again.")
        # The reason names files of the server: it stands in the log and in `GET /v1/models`.
        raise ModelFailedError(f"The model '{entry.settings.id}' could not be loaded.")

    def is_ready(self) -> bool:
        """Tell whether at least one model can be asked."""
        return any(entry.served for entry in self.entries)

    def is_alive(self) -> bool:
        """Tell whether every loaded engine makes progress."""
        return all(entry.served.is_alive() for entry in self.entries if entry.served)

    async def _load(
        self, entry: Entry[ModelSettingsT, ServedT], load: Callable[[ModelSettingsT], ServedT]
    ) -> None:
        name = entry.settings.id
        started_s = time.perf_counter()
        telemetry.MODEL_LOADED.labels(name).set(0)
        try:
            entry.served = await asyncio.to_thread(load, entry.settings)
        except ArtifactError as error:
            entry.problem = str(error)
            log.error("model failed to load", model=name, problem=entry.problem)  # noqa: TRY400
        except Exception as error:
            entry.problem = f"{type(error).__name__}: {error}"
            log.exception("model failed to load", model=name)
        else:
            seconds = time.perf_counter() - started_s
            telemetry.MODEL_LOADED.labels(name).set(1)
            telemetry.MODEL_LOAD_SECONDS.labels(name).set(seconds)
            told = entry.served.description
            log.info("model ready", model=name, provider=told.provider, seconds=round(seconds, 2))

    def _unknown(self, name: str) -> str:
        here = ENDPOINTS[self._family]
        for family, section in self._mesh.services.items():
            if any(name in model.names for model in section.models):
                return f"The model {shown(name)} is served by {ENDPOINTS[family]}, not by {here}."
        hint = hint_at(name, self._by_name)
        return f"The model {shown(name)} does not exist.{hint} GET /v1/models lists all models."
