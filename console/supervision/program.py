"""What the supervisor is asked to keep running, and how a process of it ended."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

SETTINGS_ERROR = 2
"""Exit status of a program that cannot use its settings: starting it again would not help."""


class Probe(Protocol):
    """Asks a running program whether it does its work."""

    async def __call__(self) -> bool:
        """Whether it is ready; soon, and without raising."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command to keep running."""

    name: str
    """What people call it; stands before each of its lines."""
    command: tuple[str, ...]
    """The executable's path and its arguments."""
    environment: Mapping[str, str]
    """The whole environment; nothing is added."""
    ready: Probe
    """Asked from the start on until it says yes, anew for each process."""
    stop_grace_s: float
    """After SIGTERM, how long it may take to end before it is killed."""
    stdin: bytes = b""
    """What it finds on its standard input; `/dev/fd/0` opens it as a file."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended."""

    returncode: int
    """Exit status; a signal's number, negative, when a signal ended it."""

    def __str__(self) -> str:
        if self.returncode >= 0:
            return f"exited with status {self.returncode}"
        try:
            name = signal.Signals(-self.returncode).name
        except ValueError:  # real-time signals have no name
            name = f"signal {-self.returncode}"
        return f"was ended by {name}"
