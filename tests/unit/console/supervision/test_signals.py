"""A supervisor in a process of its own, ended from outside."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

PATIENCE_S = 30.0

SUPERVISOR = """
import asyncio, sys
from console.supervision.journal import Journal
from console.supervision.program import Program
from console.supervision.supervisor import Supervisor

CODE = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"

async def ready():
    return True

def program(name):
    return Program(name, (sys.executable, "-I", "-S", "-c", CODE), {}, ready, 30.0)

async def main():
    stages = [[program("one")], [program("two")]]
    return await Supervisor(stages, Journal(sys.stdout, ["one", "two"])).run()

sys.exit(0 if asyncio.run(main()) else 1)
"""


class Supervised:
    """The supervisor's process and those that it has started."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True
        )
        self.text = ""
        while len(self.pids) < 2 or self.text.count("is ready") < 2:
            line = self.process.stdout.readline()
            assert line, self.text
            self.text += line
        self.children = [psutil.Process(pid) for pid in self.pids]

    @property
    def pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"pid (\d+)", self.text)]

    def end(self, number: signal.Signals) -> tuple[int, list[psutil.Process]]:
        """Send a signal; return the exit status and the children that are left."""
        self.process.send_signal(number)
        self.text += self.process.communicate(timeout=PATIENCE_S)[0]
        _, left = psutil.wait_procs(self.children, timeout=PATIENCE_S)
        return self.process.returncode, left


@pytest.fixture
def supervised() -> Iterator[Supervised]:
    supervised = Supervised()
    yield supervised
    supervised.process.kill()
    supervised.process.wait()
    supervised.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_that_ends_a_program_ends_the_supervisor_cleanly(
    supervised: Supervised, number: signal.Signals
) -> None:
    status, left = supervised.end(number)

    assert (status, left) == (0, []), supervised.text


def test_a_supervisor_that_is_killed_leaves_no_process(supervised: Supervised) -> None:
    status, left = supervised.end(signal.SIGKILL)

    assert (status, left) == (-signal.SIGKILL, [])
