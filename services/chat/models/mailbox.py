"""What the engine's thread leaves for a caller who waits on the event loop."""

import asyncio
from collections import deque
from collections.abc import Sequence

from services.chat.engine.outputs import Output
from services.chat.engine.request import Request
from services.chat.engine.sequence import Job


class Mailbox:
    """The outputs of one caller's requests, from the engine's thread to the event loop.

    A caller who is slow finds more at once. What waits is never more than the answers themselves.
    """

    def __init__(self, requests: Sequence[Request]) -> None:
        """Make one for requests that are about to be sent."""
        self.requests = requests
        self.jobs: list[Job] = []
        """One for each request, once the engine has taken it."""
        self._first_choices: dict[Job, int] = {}
        self.loop = asyncio.get_running_loop()
        self._outputs: deque[Output | Exception] = deque()
        self._is_told = False
        self._arrival: asyncio.Future[None] | None = None

    @property
    def answers(self) -> int:
        """How many answers are asked for."""
        return sum(request.choices for request in self.requests)

    def enter(self, job: Job) -> None:
        """Note the job of the next request; the engine's thread calls this, before its outputs."""
        last = self.jobs[-1] if self.jobs else None
        first = self._first_choices[last] + last.request.choices if last else 0
        self._first_choices[job] = first
        self.jobs.append(job)

    def first_choice_of(self, job: Job) -> int:
        """Return the number of a job's first answer among all that are asked for."""
        return self._first_choices[job]

    def put(self, output: Output | Exception) -> bool:
        """Leave something; return whether `wake` has to be called for it on the event loop.

        The engine's thread calls this. Whoever takes the mail first says that they know nothing,
        then looks: what is left in between is found, or told of again.
        """
        self._outputs.append(output)
        was_told, self._is_told = self._is_told, True
        return not was_told

    def wake(self) -> None:
        """Wake the caller; called on the event loop."""
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def take(self) -> list[Output]:
        """Return everything that is there, at least one output, in its order.

        Raises:
            Exception: What the engine left instead of an output.
        """
        while not (outputs := self._drain()):
            self._arrival = self.loop.create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        return outputs

    def _drain(self) -> list[Output]:
        self._is_told = False
        outputs = list[Output]()
        while self._outputs:
            output = self._outputs.popleft()
            if isinstance(output, Exception):
                raise output
            outputs.append(output)
        return outputs
