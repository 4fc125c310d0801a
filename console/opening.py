"""From the first start until the mesh serves: what is waited for, and then what there is."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from console.addresses import address
from console.clusters import routable
from console.directory import Directory, MeshError, Model
from console.mesh import FRONT_DESK
from console.screen import Screen
from console.supervision.journal import Journal
from console.supervision.keeper import Phase
from console.tables import overview
from console.waiting import waiting_for
from services.runtime.config import Settings

LOOK_INTERVAL_S = 0.2
TELL_INTERVAL_S = 5.0
"""How often a person who waits hears what for."""
SPACING = 1.5
"""The front desk is asked again after so many times the time waited: each call is a logged one."""


@dataclass
class Opening:
    """Watches a mesh that starts; used once."""

    settings: Settings
    phases: Callable[[], Mapping[str, Phase]]
    journal: Journal
    screen: Screen
    _started_s: float = field(default_factory=time.monotonic)
    _asked_after_s: float = 0.0
    _models: tuple[Model, ...] = ()

    def __post_init__(self) -> None:
        """Find the front desk behind the gateway."""
        gateway = self.settings.gateway
        self._directory = Directory(f"http://{address(gateway.host, gateway.port)}")

    async def announce(self) -> None:
        """Wait until everything serves that will, saying what is waited for; then show it all."""
        told_after_s = 0.0
        while waiting := await asyncio.to_thread(self._waiting):
            if self._waited_s - told_after_s >= TELL_INTERVAL_S:
                told_after_s = self._waited_s
                self.journal.say(f"waiting for {', '.join(waiting)} ({told_after_s:.0f} s)")
            await asyncio.sleep(LOOK_INTERVAL_S)
        self.journal.show(await asyncio.to_thread(self._overview))
        self.journal.say(f"the mesh is up after {self._waited_s:.1f} s; Ctrl-C ends it")

    @property
    def _waited_s(self) -> float:
        return time.monotonic() - self._started_s

    def _waiting(self) -> list[str]:
        seen = routable(self.settings.gateway.admin_port)
        phases = self.phases()
        waiting = waiting_for(self.settings, phases, self._models, seen)
        if FRONT_DESK not in seen:
            return waiting
        if not waiting or self._waited_s >= self._asked_after_s * SPACING:
            self._asked_after_s = self._waited_s
            self._models = self._listed()
            waiting = waiting_for(self.settings, phases, self._models, seen)
        return waiting

    def _listed(self) -> tuple[Model, ...]:
        try:
            return self._directory.models()
        except MeshError:  # it is starting
            return ()

    def _overview(self) -> str:
        try:
            models, endpoints = self._directory.models(), self._directory.endpoints()
        except MeshError as error:
            return f"\n The front desk does not list what there is: {error}.\n\n"
        return overview(self.screen, self.settings, models, endpoints)
