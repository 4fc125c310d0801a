"""Runs each candidate in a process of its own, so that threads and memory of one disturb no other.

Calls and results are lines of JSON on its standard input and output.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from console.supervision import tether

ROOT = Path(__file__).parents[2]
Measures = Mapping[str, Callable[..., Any]]


class Worker:
    """A candidate in another process, which is stopped while it is not asked.

    Some spin while they wait: those would take a core from whoever is measured. It dies with this
    process, as one that is stopped cannot see its input end.
    """

    def __init__(self, module: str, *arguments: str, python: str = sys.executable) -> None:
        """Start it and wait until it has loaded.

        Raises:
            RuntimeError: The process has ended.
        """
        leash = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()))
        self._process = subprocess.Popen(
            [
                *leash,
                shutil.which(python) or python,
                "-m",
                f"benchmarks.chat_peers.{module}",
                *arguments,
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def call(self, measure: str, **arguments: Any) -> Any:
        """Return what a measure gives.

        Raises:
            RuntimeError: The process has ended.
        """
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps([measure, arguments]) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> Any:
        """Wait for one line, stop the process, and return what the line says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended; see its log above")
        self._process.send_signal(signal.SIGSTOP)
        return json.loads(line)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def serve(measures: Measures) -> None:
    """Say that all is loaded, and answer calls until the other side has gone."""
    answers = _own_output()
    answers.write("null\n")
    answers.flush()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answers.write(json.dumps(measures[name](**arguments)) + "\n")
        answers.flush()


def _own_output() -> Any:
    """Return standard output for answers alone: what libraries print goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    return answers
