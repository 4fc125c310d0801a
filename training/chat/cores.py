"""How many cores others leave to a training that runs in the background.

A niced process with a thread on a core that is in use waits for that thread at every step; it is
faster with fewer threads.

Source: https://man7.org/linux/man-pages/man5/proc_stat.5.html
"""

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_TICKS = 100
"""A second, in the unit of the kernel's counters."""


class Cores:
    """Watches what processes that are not niced use."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy, self._since = _busy_ticks(), time.monotonic()

    def free(self) -> int:
        """Return how many cores were free since the last call; all where this is not niced."""
        if os.nice(0) == 0 or not _STAT.exists():
            return self._most
        busy, now = _busy_ticks(), time.monotonic()
        used = (busy - self._busy) / _TICKS / max(now - self._since, 1e-3)
        self._busy, self._since = busy, now
        return max(1, min(self._most, round((os.cpu_count() or 1) - used)))


def _busy_ticks() -> int:
    """Return the ticks that all cores have spent for processes that are not niced."""
    if not _STAT.exists():
        return 0
    user, _niced, system = _STAT.read_text().split("\n", 1)[0].split()[1:4]
    return int(user) + int(system)
