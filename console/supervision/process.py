"""One running process of a program: started on a tether, its lines read, ended by signals."""

import asyncio
import contextlib
import io
import os
import signal
import sys
import tempfile
from collections.abc import Callable

from console.supervision import tether
from console.supervision.lines import LineReader
from console.supervision.program import Ending, Program

LAST_LINES_S = 1.0
"""After its end, how long its last lines are waited for: what it started may hold the pipe."""


class Process:
    """A process in a session of its own: a terminal's Ctrl-C does not reach it.

    It is killed when the *thread* that started it ends, so start it from the main thread.
    """

    def __init__(self, process: asyncio.subprocess.Process, lines: "_Lines") -> None:
        self._process = process
        self._lines = lines

    @classmethod
    async def start(cls, program: Program, write: Callable[[str], None]) -> "Process":
        """Start the program; `write` is handed each line of its two outputs.

        Raises:
            OSError: The machine has no room for another process.
        """
        read_end, write_end = os.pipe()
        lines = _Lines(write)
        await asyncio.get_running_loop().connect_read_pipe(lambda: lines, io.FileIO(read_end))
        try:
            return cls(await _spawn(program, write_end), lines)
        finally:
            os.close(write_end)

    async def wait(self) -> Ending:
        """Wait for its end and its last lines; whoever of its own still writes then is killed."""
        returncode = await self._process.wait()
        _, waiting = await asyncio.wait((self._lines.ended,), timeout=LAST_LINES_S)
        if waiting:
            self._kill_group()
            self._lines.close()
        return Ending(returncode)

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> bool:
        """End it and what it started, now; return whether it was running."""
        if self._process.returncode is not None:
            return False
        self._kill_group()
        return True

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # gone this moment
            os.killpg(self._process.pid, signal.SIGKILL)


class _Lines(asyncio.Protocol):
    """The reading end of a process's output."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._write = write
        self._reader = LineReader()
        self._transport: asyncio.BaseTransport | None = None

    def close(self) -> None:
        """Read no further."""
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what can be closed."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Write the lines that are complete."""
        for line in self._reader.feed(data):
            self._write(line)

    def connection_lost(self, exc: Exception | None) -> None:
        """Write what is left: nobody holds the other end any more."""
        for line in self._reader.close():
            self._write(line)
        self.ended.set_result(None)


async def _spawn(program: Program, output: int) -> asyncio.subprocess.Process:
    leash = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()))
    with tempfile.TemporaryFile() as stdin:  # without a name: nothing is left, whatever happens
        stdin.write(program.stdin)
        stdin.seek(0)
        # Our own pipe, not asyncio's: asyncio ends its wait only when the pipe is closed as well.
        return await asyncio.create_subprocess_exec(
            *leash,
            *program.command,
            env=program.environment,
            stdin=stdin,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
