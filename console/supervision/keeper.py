"""Keeps one program running until it is told to stop."""

import asyncio
import contextlib
import time
from enum import Enum

from console.supervision.backoff import Backoff, Pacing
from console.supervision.journal import Journal
from console.supervision.process import Process
from console.supervision.program import SETTINGS_ERROR, Ending, Program


class Phase(Enum):
    """Where a program stands."""

    STARTING = "starting"
    """It runs and is not ready yet."""
    READY = "ready"
    """It runs, and said that it is ready."""
    PAUSED = "paused"
    """It died and is started again soon."""
    OVER = "over"
    """It does not run and will not be started again."""


class Keeper:
    """The owner of one program's processes, one after the other."""

    def __init__(self, program: Program, journal: Journal, pacing: Pacing) -> None:
        self.program = program
        self.phase = Phase.STARTING
        self.killed = False
        """Whether a process of it had to be killed."""
        self._journal = journal
        self._pacing = pacing
        self._ready_since_s: float | None = None
        self._process: Process | None = None
        self._at_once = False
        self._retired = asyncio.Event()
        self._stopping = asyncio.Event()

    async def keep(self) -> None:
        """Run the program, again and again; return once it is over."""
        backoff = Backoff(self._pacing)
        while not self._retired.is_set():
            ending = await self._try_run()
            if self._stopping.is_set():
                break
            if isinstance(ending, Ending) and ending.returncode == SETTINGS_ERROR:
                self._say("cannot use its settings: see its lines above; it is not started again")
                break
            await self._pause(ending, backoff.delay_s(self._ready_for_s))
        self.phase = Phase.OVER

    def retire(self) -> None:
        """From now on start nothing; what runs goes on."""
        self._retired.set()

    def stop(self) -> None:
        """Ask the running process to end; it is killed after the program's grace."""
        self._retired.set()
        self._stopping.set()

    def kill(self) -> None:
        """End the running process now."""
        self.stop()
        self._at_once = True
        if self._process and self._process.kill():
            self.killed = True

    async def _try_run(self) -> Ending | OSError:
        """Run one process until it ends, by itself or because it was told to."""
        self.phase, self._ready_since_s = Phase.STARTING, None
        write = self._journal.writer(self.program.name)
        try:
            self._process = await Process.start(self.program, write)
        except OSError as error:
            return error
        if self._at_once:  # told while it was starting
            self.kill()
        return await self._run(self._process)

    async def _run(self, process: Process) -> Ending:
        watching = asyncio.create_task(self._watch())
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        stopping.cancel()
        if not ended.done():
            await self._end(process, ended)
        return await ended

    async def _end(self, process: Process, ended: "asyncio.Task[Ending]") -> None:
        process.terminate()
        await asyncio.wait((ended,), timeout=self.program.stop_grace_s)
        if not ended.done():
            self._say(f"has not ended within {self.program.stop_grace_s:g} s and is killed")
            self.kill()

    async def _watch(self) -> None:
        started_s = time.monotonic()
        while not await self.program.ready():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(self._pacing.probe_interval_s)
        self.phase, self._ready_since_s = Phase.READY, time.monotonic()
        self._say(f"is ready after {self._ready_since_s - started_s:.1f} s")

    async def _pause(self, ending: Ending | OSError, delay_s: float) -> None:
        if self._retired.is_set():
            return
        self.phase = Phase.PAUSED
        self._say(f"{ending}; it is started again in {delay_s:g} s")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._retired.wait(), delay_s)

    @property
    def _ready_for_s(self) -> float:
        return 0.0 if self._ready_since_s is None else time.monotonic() - self._ready_since_s

    def _say(self, text: str) -> None:
        self._journal.say(f"{self.program.name} {text}")
