"""Becomes a command that dies with its parent: `python -I -S tether.py PARENT_PID COMMAND…`.

A process of its own, because the alternative, Python code between fork and exec, may stand still
for ever in a parent with threads. Imports nothing of the project: it runs without its packages.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Source: prctl(2), PR_SET_PDEATHSIG; the setting outlives exec."""

NOT_EXECUTABLE = 127
"""Exit status when the command cannot be run, as in a shell."""


def main(arguments: list[str]) -> int:
    """Replace this process; return only when there is no parent left or no such command."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the line above
        return 1
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    return NOT_EXECUTABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
