"""Which models are in memory, and which leave for others: pure policy.

It knows sizes, callers and a clock; no model, no thread and no message.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["unloaded", "loading", "ready", "unloading", "failed"]

PATIENCE_S = 5.0
"""So long a load waits for models in use to fall idle; then they take no new callers."""
SETTLING_S = 30.0
"""So long a loaded model waits for a caller who was told to come back for it."""


@dataclass(eq=False, slots=True)
class Place:
    """Where one model stands; changed by its `Residency` only."""

    state: State = "unloaded"
    is_starting: bool = False
    """Whether its load at the start of the process is still to come."""
    is_demanded: bool = False
    """Whether somebody asked for its load: others leave only then."""
    is_wanted_again: bool = False
    """Whether somebody asked for it while it was leaving."""
    at_work: bool = False
    """Whether a step of it is being done."""
    need_bytes: int | None = None
    """What its load is going to take; None until that was measured."""
    held_bytes: int = 0
    """What it takes from the memory, from the begin of its load until it is closed."""
    users: int = 0
    """Callers whom it works for."""
    is_awaited: bool = False
    """Whether a caller was told to come back for it, and nobody has used it yet."""
    last_use: int = 0
    """Grows with every use of any model."""
    began_s: float = 0.0
    """When its load began."""
    ready_s: float = 0.0
    """When its load was over."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next with a model; what came of it is told to the residency.

    A `leave_out` is done already: there was no room for the model at the start.
    """

    action: Literal["measure", "load", "close", "leave_out"]
    place: Place


class Residency:
    """The models of a process under one limit of memory.

    Loads go one at a time, in the order in which they were asked for. Where there is no room, the
    least recently used of the idle models leave. A model in use is spared for `PATIENCE_S`, and at
    least as long as its own load took, so that two models in turn serve no less than they load;
    then it takes no new callers and leaves when the last one has gone. No caller is ever cut off.
    """

    def __init__(
        self, limit_bytes: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin without models; a limit of None holds everything."""
        self.limit_bytes = limit_bytes
        self._clock = clock
        self._places: list[Place] = []
        self._queue: deque[Place] = deque()  # to be loaded; it is the first one's turn
        self._turn_s = 0.0  # when that turn began
        self._uses = itertools.count(1)

    def add(self, *, at_start: bool) -> Place:
        """Return the place of a new model, which may be one to load at the start."""
        place = Place()
        self._places.append(place)
        if at_start:
            place.is_starting = True
            self._enqueue(place)
        return place

    def enter(self, place: Place) -> None:
        """Note a caller of a ready model, who will `leave`."""
        assert place.state == "ready"
        place.users += 1
        place.is_awaited = False
        place.last_use = next(self._uses)

    def leave(self, place: Place) -> bool:
        """Note that a caller has gone; return whether there may be a next step now."""
        place.users -= 1
        place.last_use = next(self._uses)
        return not place.users and (place.state == "unloading" or bool(self._queue))

    def want(self, place: Place, *, by_hand: bool = False) -> bool:
        """Have a model loaded that a caller asks for, or an operator; return whether it is news."""
        if place.state == "ready":
            return False
        place.is_awaited |= not by_hand
        if place.state == "unloading":
            was_wanted, place.is_wanted_again = place.is_wanted_again, True
            return not was_wanted
        if place.state != "loading":
            self._enqueue(place)
        was_demanded, place.is_demanded = place.is_demanded, True
        return not was_demanded

    def dismiss(self, place: Place) -> None:
        """Have a model leave, or not be loaded; whoever uses it may finish."""
        place.is_wanted_again = False
        if place.state == "ready" or (place.state == "loading" and place.at_work):
            place.state = "unloading"
        elif place.state in {"loading", "failed"}:
            self._end(place, "unloaded")

    def next_step(self) -> Step | None:
        """Return what is to be done now; None until something was told, or `wait_s` is over."""
        for place in self._leaving():
            if not place.users and not place.at_work:
                return self._begin("close", place)
        if not self._queue or self._queue[0].at_work:
            return None
        place = self._queue[0]
        if self.limit_bytes is None:
            place.need_bytes = 0
        if place.need_bytes is None:
            return self._begin("measure", place)
        missing_bytes = self._missing_bytes(place.need_bytes)
        if missing_bytes > 0:
            return self._make_room(place, missing_bytes)
        place.began_s, place.held_bytes = self._clock(), place.need_bytes
        return self._begin("load", place)

    def wait_s(self) -> float | None:
        """Return after how long there may be a next step by itself; None where never."""
        if not self._queue or self._queue[0].at_work:
            return None
        now = self._clock()
        times = [self._may_leave_s(place) for place in self._ready()]
        return min((time - now for time in times if time > now), default=None)

    def measured(self, place: Place, need_bytes: int) -> None:
        """Note what the load of a model is going to take; it is within the limit."""
        place.at_work = False
        place.need_bytes = need_bytes
        if place.state == "unloading":
            self._end(place, "unloaded")

    def loaded(self, place: Place, held_bytes: int) -> None:
        """Note that a model is in memory, and what it takes."""
        self._dequeue(place)
        place.at_work = place.is_starting = False
        place.held_bytes = held_bytes
        place.last_use = next(self._uses)
        place.ready_s = self._clock()
        if place.state == "loading":
            place.state = "ready"

    def failed(self, place: Place) -> None:
        """Note that a model could not be measured or loaded."""
        self._end(place, "failed" if place.state == "loading" else "unloaded")

    def closed(self, place: Place) -> None:
        """Note that a model is out of memory."""
        self._end(place, "unloaded")

    def check_integrity(self) -> None:
        """Assert that what is known of the places agrees; for tests."""
        waiting = {place for place in self._places if place.state == "loading"}
        assert len(set(self._queue)) == len(self._queue)
        assert waiting <= set(self._queue)
        assert not any(place.at_work for place in list(self._queue)[1:]), "one load at a time"
        for place in self._places:
            is_resident = place.state in {"ready", "unloading"}
            assert place.users >= 0
            assert not place.users or (is_resident and not place.at_work), "nobody is cut off"
            assert not place.held_bytes or is_resident or place.at_work
            assert not place.at_work or place.state in {"loading", "unloading"}
            assert not place.is_wanted_again or place.state == "unloading"
            assert not place.is_starting or place in self._queue
            if place in self._queue:
                assert place in waiting or (place.at_work and place.state == "unloading")

    def _make_room(self, place: Place, missing_bytes: int) -> Step | None:
        """Have others leave, if they may; those who leave already are waited for."""
        missing_bytes -= sum(other.held_bytes for other in self._leaving())
        if missing_bytes <= 0:
            return None
        if not place.is_demanded:
            self._end(place, "unloaded")
            return Step("leave_out", place)
        chosen = self._choose(missing_bytes)
        for other in chosen:
            other.state = "unloading"
        return self.next_step() if chosen else None

    def _choose(self, missing_bytes: int) -> list[Place]:
        """Return who leaves: enough of those who may, idle before busy, long unused before others.

        Nobody leaves in vain: not before enough may, and none whom the others make up for.
        """
        now = self._clock()
        willing = [place for place in self._ready() if self._may_leave_s(place) <= now]
        willing.sort(key=lambda place: (place.users > 0, place.last_use))
        totals = itertools.accumulate(place.held_bytes for place in willing)
        count = next((count for count, total in enumerate(totals, 1) if total >= missing_bytes), 0)
        chosen = willing[:count]
        spare_bytes = sum(place.held_bytes for place in chosen) - missing_bytes
        for place in willing[:count][::-1]:
            if place.held_bytes <= spare_bytes:
                spare_bytes -= place.held_bytes
                chosen.remove(place)
        return chosen

    def _may_leave_s(self, place: Place) -> float:
        """Return from when on a ready model may leave for the one whose turn it is."""
        if place.users:
            return max(self._turn_s + PATIENCE_S, 2 * place.ready_s - place.began_s)
        return place.ready_s + SETTLING_S if place.is_awaited else 0.0

    def _missing_bytes(self, need_bytes: int) -> int:
        if self.limit_bytes is None:
            return 0
        return sum(place.held_bytes for place in self._places) + need_bytes - self.limit_bytes

    def _ready(self) -> list[Place]:
        return [place for place in self._places if place.state == "ready"]

    def _leaving(self) -> list[Place]:
        return [place for place in self._places if place.state == "unloading"]

    def _begin(self, action: Literal["measure", "load", "close"], place: Place) -> Step:
        place.at_work = True
        return Step(action, place)

    def _end(self, place: Place, state: State) -> None:
        """Take a model off the books; whoever asked for it meanwhile gets it loaded again."""
        if place in self._queue:
            self._dequeue(place)
        place.state, place.held_bytes = state, 0
        place.at_work = place.is_starting = False
        if place.is_wanted_again:
            place.is_wanted_again = False
            self._enqueue(place)
            place.is_demanded = True
        else:
            place.is_awaited = False

    def _enqueue(self, place: Place) -> None:
        if not self._queue:
            self._turn_s = self._clock()
        place.state, place.need_bytes, place.is_demanded = "loading", None, False
        self._queue.append(place)

    def _dequeue(self, place: Place) -> None:
        was_first = self._queue[0] is place
        self._queue.remove(place)
        if was_first:
            self._turn_s = self._clock()
