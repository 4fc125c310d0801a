"""Starts all programs at once and ends them stage by stage."""

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from console.supervision.backoff import Pacing
from console.supervision.journal import Journal
from console.supervision.keeper import Keeper, Phase
from console.supervision.program import Program


class Supervisor:
    """Keeps the programs running between `run` and `interrupt`."""

    def __init__(
        self,
        stages: Sequence[Sequence[Program]],
        journal: Journal,
        pacing: Pacing = Pacing(),  # noqa: B008 - frozen
    ) -> None:
        """Take the programs in the order in which they are to end: a stage ends as a whole."""
        self._stages = [[Keeper(each, journal, pacing) for each in stage] for stage in stages]
        self._keepers = [keeper for stage in self._stages for keeper in stage]
        self._journal = journal
        self._pacing = pacing
        self._stopping = asyncio.Event()
        self._interrupted_s: float | None = None

    @property
    def phases(self) -> Mapping[str, Phase]:
        """Where each program stands, by its name."""
        return {keeper.program.name: keeper.phase for keeper in self._keepers}

    async def run(self) -> bool:
        """Run the programs until SIGINT, SIGTERM or SIGHUP; nothing is left running afterwards.

        Returns:
            Whether it was told to stop and every program then ended by itself.
        """
        tasks = {keeper: asyncio.create_task(keeper.keep()) for keeper in self._keepers}
        over = asyncio.gather(*tasks.values())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            with self._signals_heard():
                await asyncio.wait((over, stopping), return_when=asyncio.FIRST_COMPLETED)
                for keeper in self._keepers:
                    keeper.retire()
                for stage in self._stages:
                    for keeper in stage:
                        keeper.stop()
                    await asyncio.gather(*(tasks[keeper] for keeper in stage))
        finally:
            stopping.cancel()
            self.kill()
        return self._stopping.is_set() and not any(keeper.killed for keeper in self._keepers)

    def stop(self) -> None:
        """End the programs, stage by stage."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._journal.say("stopping; what is running may finish (Ctrl-C again ends it at once)")

    def kill(self) -> None:
        """End every program now."""
        for keeper in self._keepers:
            keeper.kill()

    def interrupt(self) -> None:
        """End the programs; when told a second time, at once."""
        now_s = time.monotonic()
        if self._interrupted_s is None:
            self._interrupted_s = now_s
        elif now_s - self._interrupted_s > self._pacing.one_breath_s:
            self._journal.say("ending at once")
            self.kill()
        self.stop()

    @contextmanager
    def _signals_heard(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        answers = {
            signal.SIGINT: self.interrupt,
            signal.SIGTERM: self.interrupt,
            signal.SIGHUP: self.stop,  # a closed terminal is no hurry
        }
        for number, answer in answers.items():
            loop.add_signal_handler(number, answer)
        try:
            yield
        finally:
            for number in answers:
                loop.remove_signal_handler(number)
