"""How long to wait before a process is started again; knows no clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pacing:
    """The times of a supervisor."""

    first_delay_s: float = 0.2
    """Before the first new start; doubles with each further one."""
    longest_delay_s: float = 10.0
    """Where the doubling ends."""
    healthy_s: float = 10.0
    """A process that was ready for so long has earned a short delay again."""
    probe_interval_s: float = 0.2
    """How often a program is asked whether it is ready."""
    one_breath_s: float = 0.5
    """Interrupts so close together are one wish: `timeout` and `make` send theirs twice."""


class Backoff:
    """Delays of one program's starts: exponential, forgotten after a healthy time."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._next_s = pacing.first_delay_s

    def delay_s(self, ready_for_s: float) -> float:
        """Return how long to wait now, after a process that was ready for `ready_for_s`."""
        if ready_for_s >= self._pacing.healthy_s:
            self._next_s = self._pacing.first_delay_s
        delay = min(self._next_s, self._pacing.longest_delay_s)
        self._next_s = delay * 2
        return delay
