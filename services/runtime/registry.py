"""The models of a process by name: who gets one, what the others hear, and what is asked for.

It loads nothing: `residency` says what is to be done, and `loading` does it. Everything here
happens on the event loop.
"""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, NoReturn, Protocol, TypeVar

from services.runtime.config import ModelSettings, ServiceSettings, Settings
from services.runtime.errors import (
    ModelFailedError,
    ModelLoadingError,
    ModelNotFoundError,
    ModelUnloadedError,
    hint_at,
    shown,
)
from services.runtime.residency import SETTLING_S, Place, Residency, State

ENDPOINTS = {
    "chat": "POST /v1/chat/completions",
    "images": "POST /v1/images/generations",
    "audio": "POST /v1/audio/transcriptions",
    "embeddings": "POST /v1/embeddings",
}
"""The endpoint that a family's models are for, as messages name it."""

FIRST_LOAD_S = 5.0
"""How long a load is expected to take before the first one was measured."""


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
    memory_bytes: int = 0
    """What it holds: weights and caches, on whatever it runs."""


class Served(Protocol):
    """What the registry needs to know of a loaded model."""

    @property
    def description(self) -> Description:
        """What the model tells about itself."""

    def is_alive(self) -> bool:
        """Tell whether its engine makes progress."""

    def close(self) -> None:
        """End its threads and let go of its memory; called once, in a thread, with no caller left.

        What it holds should be free when this returns.
        """


ServedT = TypeVar("ServedT", bound=Served)
ModelSettingsT = TypeVar("ModelSettingsT", bound=ModelSettings)


@dataclass(eq=False, slots=True)
class Entry(Generic[ModelSettingsT, ServedT]):
    """A model of the settings, and how far it has come."""

    settings: ModelSettingsT
    place: Place
    served: ServedT | None = None
    problem: str = ""
    """Why it failed to load, the last time that it did."""
    is_kept_out: bool = False
    """Whether it was unloaded by hand, so that no caller has it loaded again."""
    began_s: float | None = None
    """Since when it is being loaded; seconds of `perf_counter`."""
    load_s: float = FIRST_LOAD_S
    """How long that took the last time."""

    @property
    def state(self) -> State:
        """The state, as `GET /v1/models` shows it."""
        return self.place.state

    @property
    def detail(self) -> str:
        """Why it is in this state, for people; empty when it is ready."""
        if self.state == "failed":
            return self.problem
        if self.state == "unloaded":
            return (
                f"Unloaded by hand; `switchboard models load {self.settings.id}` loads it."
                if self.is_kept_out
                else "It is loaded when somebody asks for it."
            )
        if self.state == "unloading" and self.place.users:
            return f"Calls in flight that it waits for: {self.place.users}."
        if self.state == "loading" and not self.place.at_work:
            return "Waits for its turn, and for room."
        return ""

    def retry_after_s(self) -> float:
        """Return after how many whole seconds it may be ready; a guess, 1 to 30."""
        elapsed_s = 0.0 if self.began_s is None else time.perf_counter() - self.began_s
        # What takes longer than expected is taken to need half as long again.
        left_s = max(self.load_s - elapsed_s, elapsed_s / 2)
        return float(min(max(math.ceil(left_s), 1), SETTLING_S))


class Registry(Generic[ModelSettingsT, ServedT]):
    """The models of one family's process."""

    def __init__(self, family: str, models: Sequence[ModelSettingsT], mesh: Settings) -> None:
        """Take the settings of a family's models, and of the mesh that the family is part of."""
        self.family = family
        self._mesh = mesh
        section: ServiceSettings = getattr(mesh, family)
        self.residency = Residency(section.memory_bytes)
        self.stirred = asyncio.Event()
        """Set when the residency may have a next step."""
        self.entries = [
            Entry[ModelSettingsT, ServedT](
                model, self.residency.add(at_start=model.load == "start")
            )
            for model in models
        ]
        self._by_name = {name: entry for entry in self.entries for name in entry.settings.names}

    @contextmanager
    def lease(self, name: str) -> Iterator[ServedT]:
        """Return the model behind a name; it stays loaded until the context is left.

        Raises:
            ModelNotFoundError: Nobody serves the name, or another endpoint does.
            ModelLoadingError: The model is not ready; it is going to be.
            ModelUnloadedError: The model was unloaded by hand.
            ModelFailedError: The model could not be loaded.
        """
        entry = self.find(name)
        if entry.state != "ready":
            self._decline(entry)
        assert entry.served is not None, "a ready model is there"
        self.residency.enter(entry.place)
        try:
            yield entry.served
        finally:
            if self.residency.leave(entry.place):
                self.stirred.set()

    def find(self, name: str) -> Entry[ModelSettingsT, ServedT]:
        """Return the entry behind an id or alias.

        Raises:
            ModelNotFoundError: Nobody serves the name, or another endpoint does.
        """
        if name not in self._by_name:
            raise ModelNotFoundError(self._unknown(name))
        return self._by_name[name]

    def load(self, entry: Entry[ModelSettingsT, ServedT]) -> None:
        """Have a model loaded by hand, one that failed included."""
        entry.is_kept_out = False
        if self.residency.want(entry.place, by_hand=True):
            self.stirred.set()

    def unload(self, entry: Entry[ModelSettingsT, ServedT]) -> None:
        """Have a model unloaded by hand, once those who use it have finished."""
        entry.is_kept_out = entry.settings.load == "start"
        self.residency.dismiss(entry.place)
        self.stirred.set()

    def is_ready(self) -> bool:
        """Tell whether calls are welcome: a model is ready, or could be after what starts now.

        A service that holds nothing is ready all the same: the first call has its model loaded.
        """
        places = [entry.place for entry in self.entries]
        if any(place.state == "ready" for place in places):
            return True
        could_be = any(place.state != "failed" for place in places)
        return could_be and not any(place.is_starting for place in places)

    def is_alive(self) -> bool:
        """Tell whether every loaded engine makes progress."""
        loaded = [entry.served for entry in self.entries]
        return all(served.is_alive() for served in loaded if served is not None)

    def _decline(self, entry: Entry[ModelSettingsT, ServedT]) -> NoReturn:
        """Say why a model is not ready, and have it loaded where a caller may."""
        name = entry.settings.id
        if entry.state == "failed":
            # The reason names files of the server: it is in the log and in `GET /v1/models`.
            raise ModelFailedError(f"The model '{name}' could not be loaded.")
        if entry.is_kept_out:
            raise ModelUnloadedError(
                f"The model '{name}' was unloaded by whoever runs this server."
                " It has to be loaded there again."
            )
        if self.residency.want(entry.place):
            self.stirred.set()
        seconds = entry.retry_after_s()
        raise ModelLoadingError(
            f"The model '{name}' is loading. Try again in {seconds:.0f} s.", retry_after_s=seconds
        )

    def _unknown(self, name: str) -> str:
        here = ENDPOINTS[self.family]
        for family, section in self._mesh.services.items():
            if any(name in model.names for model in section.models):
                return f"The model {shown(name)} is served by {ENDPOINTS[family]}, not by {here}."
        hint = hint_at(name, self._by_name)
        return f"The model {shown(name)} does not exist.{hint} GET /v1/models lists all models."
