"""The engine: takes requests, and in each step schedules, runs, and tells what came of it.

One thread owns it. It knows no clock: callers say what time it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.chat.engine.outputs import Delta, Finish, Output, PromptLogprobs, Usage
from services.chat.engine.prompt_scores import PromptScores
from services.chat.engine.request import Grammar, Request
from services.chat.engine.runner import Row, Runner, SomeLogits
from services.chat.engine.sampler import HostSampler, Sampler
from services.chat.engine.sampling import adjustments
from services.chat.engine.sampling.sampler import Choice
from services.chat.engine.scheduler import Decode, Part, Prefill, Scheduler
from services.chat.engine.sequence import Job, Reason
from services.chat.engine.sequence import Sequence as Answer
from services.chat.engine.slots import Slots
from services.chat.engine.text.pieces import Pieces
from services.chat.engine.text.stream import TextStream
from services.runtime.errors import ContextLengthError, InvalidRequestError

_MOST_SCORED_TOKENS = 128
"""Tokens of a prompt that are scored in one run: each has the logits of the whole vocabulary."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the model and its settings allow."""

    context_tokens: int
    """The longest prompt and answer together."""
    vocabulary: int
    """How many token ids there are."""
    eos: frozenset[int]
    """Tokens that end an answer and are no part of its text."""
    chunk_tokens: int
    """Tokens of a prompt that are read in one step."""


@dataclass(slots=True)
class _Writing:
    """What follows an answer as it grows."""

    text: TextStream
    grammar: Grammar | None
    scores: PromptScores | None
    """Of the prompt, until they are told; None where nobody asked."""


class Engine:
    """Serves many answers at once."""

    def __init__(
        self, runner: Runner, pieces: Pieces, limits: Limits, sampler: Sampler | None = None
    ) -> None:
        """Take a decoder, the bytes of its tokens, its limits, and what chooses tokens.

        Args:
            runner: The decoder.
            pieces: The bytes of its tokens.
            limits: What it allows.
            sampler: Understands the runner's logits; None takes NumPy's.
        """
        self._runner = runner
        self._sampler = sampler or HostSampler()
        self._pieces = pieces
        self._limits = limits
        self._slots = Slots(runner.slots)
        self._scheduler = Scheduler(self._slots, chunk_tokens=limits.chunk_tokens)
        self._writings: dict[Answer, _Writing] = {}
        self._untold: list[Output] = []

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._writings

    @property
    def waiting(self) -> int:
        """Answers that wait for a slot."""
        return len(self._scheduler.waiting)

    @property
    def running(self) -> int:
        """Answers that have one."""
        return len(self._scheduler.running)

    def add(self, request: Request) -> Job:
        """Take a request; `step` tells what comes of it.

        Raises:
            ContextLengthError: The prompt leaves no room for an answer.
            InvalidRequestError: It names a token that the model does not have.
        """
        self._check(request)
        room = self._limits.context_tokens - len(request.prompt)
        wished = room if request.max_tokens is None else request.max_tokens
        most = len(request.prompt) + min(wished, room)
        job = Job(request)
        writings = {
            Answer(job, choice, most, list(request.prompt)): self._begin(request, choice)
            for choice in range(request.choices)
        }
        job.sequences.extend(writings)
        self._writings |= writings
        self._scheduler.add(job)
        return job

    def cancel(self, job: Job) -> list[Output]:
        """End what is left of a job whose caller has gone."""
        return [
            self._finish(answer, Reason.CANCELLED)
            for answer in job.sequences
            if answer.reason is None
        ]

    def fail(self) -> list[Output]:
        """End everything, as a step raised: what the slots hold is not known any more.

        Returns:
            What that step had to tell before it raised, and the end of everything else.
        """
        for answer in [*self._writings]:
            self._untold.append(self._finish(answer, Reason.FAILED))
        self._slots.forget()
        return self._tell()

    def step(self, now_s: float) -> list[Output]:
        """Do the next piece of work and tell what came of it.

        Args:
            now_s: What time it is, on the clock of the deadlines.
        """
        for answer in self._scheduler.expired(now_s):
            self._untold.append(self._finish(answer, Reason.DEADLINE))
        for place in (*self._scheduler.admit(), self._scheduler.try_move()):
            if place is not None and place.is_copy:
                self._runner.copy(place.source, place.slot, place.cached_tokens)
        step = self._scheduler.next_step()
        if step is not None:
            computed = [*self._run(step)]
            self._scheduler.note(step)
            for answers, logits in computed:
                self._go_on(answers, logits)
        return self._tell()

    def check_integrity(self) -> None:
        """Assert that the views agree; for tests."""
        self._scheduler.check_integrity()
        assert set(self._writings) == {*self._scheduler.waiting, *self._scheduler.running}

    def _tell(self) -> list[Output]:
        outputs, self._untold = self._untold, []
        return outputs

    def _begin(self, request: Request, choice: int) -> _Writing:
        """Return what follows one choice of a request."""
        top = request.prompt_logprobs
        return _Writing(
            TextStream(self._pieces, request.stops),
            request.grammar() if request.grammar else None,
            PromptScores(request.prompt, top) if choice == 0 and top is not None else None,
        )

    def _run(self, step: Prefill | Decode) -> Iterator[tuple[list[Answer], SomeLogits]]:
        """Compute a step; yield answers that can go on, and logits, (answers, vocabulary)."""
        match step:
            case Prefill(parts):
                for part in parts:
                    logits = self._prefill(part)
                    if part.tokens == part.sequence.missing_tokens:
                        yield [part.sequence], logits
            case Decode(answers):
                rows = [
                    Row(_slot(answer), answer.tokens[-1], answer.computed_tokens)
                    for answer in answers
                ]
                yield answers, self._runner.decode(rows)

    def _prefill(self, part: Part) -> SomeLogits:
        """Read a part of a prompt; return the last logits, (1, vocabulary)."""
        answer, start = part.sequence, part.sequence.computed_tokens
        tokens = answer.tokens[start : start + part.tokens]
        scores = self._writings[answer].scores
        if scores is None:
            return self._runner.prefill(_slot(answer), tokens, start)
        for place in range(0, len(tokens), _MOST_SCORED_TOKENS):
            some = tokens[place : place + _MOST_SCORED_TOKENS]
            logits = self._runner.score(_slot(answer), some, start + place)
            scores.extend(logits)
        return logits[-1:]

    def _go_on(self, answers: list[Answer], logits: SomeLogits) -> None:
        """Choose the next token of each answer that can have one; end the others."""
        places = [place for place, answer in enumerate(answers) if self._can_go_on(answer)]
        if len(places) < len(answers):
            answers, logits = [answers[place] for place in places], logits[places]
        if answers:
            choices = self._sampler.try_sample(logits, self._rows(answers))
            for answer, choice in zip(answers, choices, strict=True):
                self._untold += self._extend(answer, choice)

    def _can_go_on(self, answer: Answer) -> bool:
        """Tell what is known of a prompt that was read, and whether anything may follow it."""
        writing = self._writings[answer]
        scores, writing.scores = writing.scores, None
        if scores is not None and not scores.are_finite:
            self._untold.append(self._finish(answer, Reason.FAILED))
        else:
            if scores is not None:
                self._untold.append(PromptLogprobs(answer.job, scores.logprobs))
            if not answer.has_room:
                self._untold.append(self._finish(answer, Reason.LENGTH))
        return answer.reason is None

    def _rows(self, answers: Sequence[Answer]) -> list[adjustments.Row]:
        return [
            adjustments.Row(
                sampling=answer.job.request.sampling,
                prompt=answer.job.request.prompt,
                answer=answer.answer,
                seed=answer.job.request.seed,
                choice=answer.choice,
                mask=grammar.mask() if (grammar := self._writings[answer].grammar) else None,
            )
            for answer in answers
        ]

    def _extend(self, answer: Answer, choice: Choice | None) -> Iterator[Output]:
        """Add a token to an answer, and end it where that is its end."""
        request, writing = answer.job.request, self._writings[answer]
        if choice is None:
            may_go_on = writing.grammar is None or writing.grammar.mask().any()
            yield self._finish(answer, Reason.FAILED if may_go_on else Reason.UNWRITABLE)
            return
        answer.tokens.append(choice.token)
        if choice.token in self._limits.eos or choice.token in request.stop_tokens:
            yield self._finish(answer, Reason.STOP)
            return
        text = writing.text.push(choice.token)
        yield Delta(answer.job, answer.choice, choice.token, text, choice.logprobs)
        if writing.text.stop is not None:
            yield self._finish(answer, Reason.STOP)
        elif not answer.has_room:
            yield self._finish(answer, Reason.LENGTH)
        elif writing.grammar is not None:
            writing.grammar.accept(choice.token)

    def _finish(self, answer: Answer, reason: Reason) -> Finish:
        self._scheduler.finish(answer, reason)
        text = self._writings.pop(answer).text.finish()
        usage = Usage(answer.prompt_tokens, answer.cached_tokens, answer.answer_tokens)
        return Finish(answer.job, answer.choice, reason, text, usage)

    def _check(self, request: Request) -> None:
        limit = self._limits.context_tokens
        if len(request.prompt) + (request.max_tokens != 0) > limit:
            raise ContextLengthError(
                f"The prompt has {len(request.prompt)} tokens; prompt and answer together have room"
                f" for {limit}. Shorten '{request.param}'.",
                param=request.param,
            )
        for param, tokens in (
            (request.param, request.prompt),
            ("logit_bias", request.sampling.logit_bias),
        ):
            if tokens and (min(tokens) < 0 or max(tokens) >= self._limits.vocabulary):
                raise InvalidRequestError(
                    f"Invalid value for '{param}': the model's token ids are 0 to"
                    f" {self._limits.vocabulary - 1}.",
                    param=param,
                    code="invalid_value",
                )


def _slot(answer: Answer) -> int:
    assert answer.slot is not None, "what runs has a slot"
    return answer.slot
