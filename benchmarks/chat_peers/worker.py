"""Runs each candidate in a process of its own, so that threads and memory of one disturb no other.

Calls and results are lines of JSON on its standard input and output.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Measures = Mapping[str, Callable[..., Any]]


class Worker:
    """A candidate in another process; it sleeps while it is not asked."""

    def __init__(self, module: str, *arguments: str, python: str = sys.executable) -> None:
        """Start it; calls wait until it has loaded."""
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.chat_peers.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, measure: str, **arguments: Any) -> Any:
        """Return what a measure gives.

        Raises:
            RuntimeError: The process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([measure, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended; see its log above")
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
    """Answer calls until the other side has gone."""
    answers = _own_output()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answers.write(json.dumps(measures[name](**arguments)) + "\n")
        answers.flush()


def _own_output() -> Any:
    """Return standard output for answers alone: what libraries print goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    return answers
