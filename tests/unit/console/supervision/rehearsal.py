"""Tiny programs to supervise, and a journal to read."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psutil

from console.supervision.backoff import Pacing
from console.supervision.journal import Journal
from console.supervision.program import Probe, Program
from console.supervision.supervisor import Supervisor

PATIENCE_S = 30.0
"""Until a test gives up; a busy machine needs a while."""

QUICK = Pacing(first_delay_s=0.01, probe_interval_s=0.01, one_breath_s=0.0)


async def ready_at_once() -> bool:
    return True


def program(
    name: str,
    code: str,
    *,
    ready: Probe = ready_at_once,
    stop_grace_s: float = PATIENCE_S,
    stdin: bytes = b"",
) -> Program:
    """A program in Python, started without site-packages: that takes 10 ms."""
    command = (sys.executable, "-I", "-S", "-u", "-c", code)
    return Program(name, command, {"LC_ALL": "C.UTF-8"}, ready, stop_grace_s, stdin)


@dataclass
class Watched:
    """A supervisor at work and what it has written."""

    supervisor: Supervisor
    stream: io.StringIO

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    async def until(self, *texts: str, times: int = 1) -> None:
        """Wait until every text stands in the journal so many times."""
        async with asyncio.timeout(PATIENCE_S):
            while any(self.text.count(text) < times for text in texts):  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@dataclass
class Outcome:
    clean: bool
    text: str
    left: list[psutil.Process]


Scenario = Callable[[Watched], Awaitable[None]]


def supervise(
    stages: Sequence[Sequence[Program]], scenario: Scenario, pacing: Pacing = QUICK
) -> Outcome:
    """Run the programs while the scenario plays, and until they have ended."""

    async def play() -> bool:
        names = [each.name for stage in stages for each in stage]
        watched = Watched(Supervisor(stages, Journal(stream, names), pacing), stream)
        running = asyncio.create_task(watched.supervisor.run())
        try:
            await scenario(watched)
            return await asyncio.wait_for(running, PATIENCE_S)
        finally:
            watched.supervisor.kill()
            await running

    stream = io.StringIO()
    before = set(psutil.Process().children(recursive=True))  # of other tests
    clean = asyncio.run(play())
    left = [each for each in psutil.Process().children(recursive=True) if each not in before]
    return Outcome(clean, stream.getvalue(), left)
