"""The thread that owns an engine: callers on the event loop send it requests and get mail back."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue

import structlog

from services.chat.engine.loop import Engine
from services.chat.engine.outputs import Finish, Output
from services.chat.engine.request import Request
from services.chat.engine.sequence import Job, Reason
from services.chat.models.mailbox import Mailbox
from services.chat.models.meters import Meters
from services.runtime.errors import InternalError, OverloadedError, ServiceError

log = structlog.get_logger()

STALLED_AFTER_S = 300.0
"""A step that runs longer than this counts as a dead engine."""


class EngineThread:
    """Runs an engine step after step while anybody waits for it, and sleeps otherwise."""

    def __init__(self, engine: Engine, *, name: str, slots: int, waiting_requests: int) -> None:
        """Take an engine, which nobody else touches from now on.

        Args:
            engine: The engine.
            name: The model's, in metrics and messages.
            slots: Answers that it computes at once.
            waiting_requests: Answers that may wait besides.
        """
        self._engine = engine
        self._name = name
        self._slots = slots
        self._most_answers = slots + waiting_requests
        self._meters = Meters(name, slots)
        self._inbox: SimpleQueue[Mailbox | _Cancel | None] = SimpleQueue()
        self._mailboxes: dict[Job, Mailbox] = {}
        self._answers = 0
        self._answer_s = 1.0
        self._step_began_s: float | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._serve, name=f"engine-{name}", daemon=True)
        self._thread.start()

    @property
    def answers(self) -> int:
        """Answers that callers wait for."""
        return self._answers

    @contextlib.contextmanager
    def ask(self, requests: Sequence[Request]) -> Iterator[Mailbox]:
        """Send requests and return where their outputs come in; leaving cancels what is left.

        Raises:
            OverloadedError: Too many answers wait already.
        """
        mailbox = Mailbox(requests)
        self.check_room(mailbox.answers)
        self._answers += mailbox.answers
        began_s = time.perf_counter()
        self._inbox.put(mailbox)
        try:
            yield mailbox
        finally:
            self._answers -= mailbox.answers
            took_s = time.perf_counter() - began_s
            self._answer_s += 0.1 * (took_s - self._answer_s)
            self._inbox.put(_Cancel(mailbox))

    def check_room(self, answers: int = 1) -> None:
        """Refuse what cannot wait now; an idle engine takes any single request.

        Raises:
            OverloadedError: Too many answers wait already.
        """
        if self._answers and self._answers + answers > self._most_answers:
            raise OverloadedError(
                f"The queue of the model '{self._name}' is full ({self._answers} answers running or"
                " waiting). Try again later.",
                retry_after_s=self._answer_s * (self._answers / self._slots - 1),
            )

    def is_alive(self) -> bool:
        """Tell whether the engine makes progress."""
        began_s = self._step_began_s
        return began_s is None or time.perf_counter() - began_s < STALLED_AFTER_S

    def close(self) -> None:
        """End the thread after its step; whoever still waits is told of an error."""
        self._is_closed = True
        self._inbox.put(None)
        self._thread.join()

    def _serve(self) -> None:
        """Receive, step, deliver: what the thread does until it is closed."""
        while True:
            self._receive()
            if self._is_closed:
                self._deliver(self._engine.fail())
                self._meters.close()
                return
            self._deliver(self._step())

    def _receive(self) -> None:
        """Take what callers sent; wait for something where there is nothing to do."""
        while True:
            self._meters.show(self._engine)
            is_idle = self._engine.is_idle and not self._is_closed
            try:
                self._obey(self._inbox.get(block=is_idle))
            except Empty:
                return

    def _obey(self, message: "Mailbox | _Cancel | None") -> None:
        match message:
            case Mailbox():
                self._add(message)
            case _Cancel(mailbox):
                self._cancel(mailbox)

    def _add(self, mailbox: Mailbox) -> None:
        try:
            for request in mailbox.requests:
                job = self._engine.add(request)
                mailbox.enter(job)
                self._mailboxes[job] = mailbox
                self._meters.begin(job)
        except ServiceError as error:
            _wake([mailbox] if mailbox.put(error) else [])
        except Exception:
            log.exception("a request could not be taken", model=self._name)
            _wake([mailbox] if mailbox.put(InternalError()) else [])

    def _cancel(self, mailbox: Mailbox) -> None:
        for job in mailbox.jobs:
            if self._mailboxes.pop(job, None) is not None:
                for output in self._engine.cancel(job):
                    self._meters.note(output)
                self._meters.forget(job)

    def _step(self) -> list[Output]:
        self._step_began_s = time.perf_counter()
        try:
            outputs = self._engine.step(time.monotonic())
        except Exception:
            log.exception("a step failed: all answers in the making end", model=self._name)
            return self._engine.fail()
        finally:
            self._step_began_s = None
        self._log_failures(outputs)
        return outputs

    def _deliver(self, outputs: Iterable[Output]) -> None:
        """Put outputs into their mailboxes, and wake all who wait with one call."""
        woken = list[Mailbox]()
        finished = dict[Job, None]()
        for output in outputs:
            self._meters.note(output)
            mailbox = self._mailboxes[output.job]
            if mailbox.put(output):
                woken.append(mailbox)
            if output.job.is_finished:
                finished[output.job] = None
        for job in finished:
            del self._mailboxes[job]
            self._meters.forget(job)
        _wake(woken)

    def _log_failures(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, Finish) and output.reason is Reason.FAILED:
                log.error(
                    "an answer failed: no token that may come next has a finite logit",
                    model=self._name,
                )


class _Cancel:
    """Says that a caller has gone."""

    __match_args__ = ("mailbox",)

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox


def _wake(mailboxes: Sequence[Mailbox]) -> None:
    """Wake callers; all of a process wait on one loop."""
    if not mailboxes:
        return

    def wake_all() -> None:
        for mailbox in mailboxes:
            mailbox.wake()

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        mailboxes[0].loop.call_soon_threadsafe(wake_all)
