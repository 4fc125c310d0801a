"""From what the engine tells, token by token, to what callers read."""

from collections.abc import Callable, Iterable, Sequence
from typing import Self

from services.chat.engine.events import (
    ContentDelta,
    Event,
    Parser,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallStart,
)
from services.chat.engine.outputs import Delta, Finish, Output, PromptLogprobs
from services.chat.engine.sampling.logprobs import Logprobs
from services.chat.engine.sequence import Reason
from services.chat.engine.text.pieces import Pieces
from services.chat.models.answers import FinishReason, Growth, TokenLogprob, TokenText, Usage
from services.chat.models.mailbox import Mailbox
from services.runtime.errors import DeadlineError, InternalError, InvalidRequestError


class PlainParser:
    """Reads an answer that is nothing but content."""

    def feed(self, text: str) -> list[Event]:
        """Return the text."""
        return [ContentDelta(text)] if text else []

    def finish(self) -> list[Event]:
        """Return nothing: nothing is held back."""
        return []


class ChoiceWriter:
    """Collects what one choice grows by."""

    def __init__(
        self, parser: Parser, pieces: Pieces, *, thinks: bool = False, opening: str = ""
    ) -> None:
        """Begin an answer.

        Args:
            parser: Reads its text.
            pieces: The model's tokens, for log probabilities.
            thinks: Whether it begins with thoughts.
            opening: Text that comes before what the model says.
        """
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.is_finished = False
        self._parser = parser
        self._pieces = pieces
        self._thinks = thinks
        self._has_called = False
        self._events: list[Event] = [ContentDelta(opening)] if opening else []
        self._logprobs: list[TokenLogprob] = []
        self._finish: FinishReason | None = None

    def note(self, output: Delta | Finish) -> None:
        """Take what the engine tells.

        Raises:
            DeadlineError: The caller's time was over.
            InternalError: The engine failed.
            InvalidRequestError: The answer's grammar cannot be followed any further.
        """
        if isinstance(output, Finish):
            self._end(output)
            return
        self.completion_tokens += 1
        if output.text:
            self._add(self._parser.feed(output.text))
        self.reasoning_tokens += self._thinks
        if output.logprobs is not None:
            self._logprobs.append(self._told(output.token, output.logprobs))

    def note_prompt(self, tokens: Sequence[int], logprobs: Sequence[Logprobs | None]) -> None:
        """Take the log probabilities of the prompt's tokens, for an answer that repeats it."""
        for token, known in zip(tokens, logprobs, strict=True):
            told = self._told(token, known) if known else TokenLogprob(self._text(token, None))
            self._logprobs.append(told)

    def take(self, choice: int) -> Growth | None:
        """Return what was collected since the last time; None where that is nothing."""
        if not (self._events or self._logprobs or self._finish):
            return None
        growth = Growth(choice, tuple(self._events), tuple(self._logprobs), self._finish)
        self._events, self._logprobs = [], []
        return growth

    def _end(self, finish: Finish) -> None:
        match finish.reason:
            case Reason.DEADLINE:
                raise DeadlineError("The answer was not ready within the caller's time limit.")
            case Reason.FAILED | Reason.CANCELLED:
                raise InternalError
            case Reason.UNWRITABLE:
                raise InvalidRequestError(
                    "What the answer has to look like ('response_format', 'tools', 'regex' or"
                    " 'grammar') takes more work to follow than is allowed, or cannot be written"
                    " with the model's tokens. Ask for something simpler.",
                    code="invalid_value",
                )
        self._add([*self._parser.feed(finish.text), *self._parser.finish()])
        self.completion_tokens = finish.usage.answer_tokens
        self.is_finished = True
        if finish.reason is Reason.LENGTH:
            self._finish = "length"
        else:
            self._finish = "tool_calls" if self._has_called else "stop"

    def _add(self, events: Sequence[Event]) -> None:
        for event in events:
            self._thinks = isinstance(event, ReasoningDelta)
            self._has_called |= isinstance(event, ToolCallStart)
            merged = _merged(self._events[-1], event) if self._events else None
            if merged is None:
                self._events.append(event)
            else:
                self._events[-1] = merged

    def _told(self, token: int, logprobs: Logprobs) -> TokenLogprob:
        top = tuple(self._text(other, logprob) for other, logprob in logprobs.top)
        return TokenLogprob(self._text(token, logprobs.token), top)

    def _text(self, token: int, logprob: float | None) -> TokenText:
        return TokenText(self._pieces.text_of(token), self._pieces.bytes_of(token), logprob)


def _merged(before: Event, event: Event) -> Event | None:
    """Return two neighbours as one event; None where they are of different kinds."""
    match before, event:
        case ContentDelta(first), ContentDelta(second):
            return ContentDelta(first + second)
        case ReasoningDelta(first), ReasoningDelta(second):
            return ReasoningDelta(first + second)
        case ToolCallArguments(index, first), ToolCallArguments(other, second) if index == other:
            return ToolCallArguments(index, first + second)
    return None


class GrowingAnswers:
    """The answers to one request, as they grow."""

    def __init__(
        self,
        mailbox: Mailbox,
        new_writer: Callable[[int], ChoiceWriter],
        usage: Usage,
    ) -> None:
        """Begin to read.

        Args:
            mailbox: Where the engine's outputs come in.
            new_writer: Returns what collects a choice, by its number.
            usage: What is known of the cost: model and tokens of the prompts.
        """
        self.usage = usage
        self._mailbox = mailbox
        self._new_writer = new_writer
        self._writers = list[ChoiceWriter]()
        """Made when the first output comes: what the engine refuses needs none."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Growth]:
        """Return everything that has come since the last time, a choice at most once.

        Raises:
            ServiceError: The engine refused the request, or it ended before its time.
        """
        while not self._is_finished:
            grown = self._read(await self._mailbox.take())
            if grown:
                return grown
        raise StopAsyncIteration

    @property
    def _is_finished(self) -> bool:
        return bool(self._writers) and all(writer.is_finished for writer in self._writers)

    def _read(self, outputs: Sequence[Output]) -> list[Growth]:
        if not self._writers:
            self._writers = [self._new_writer(choice) for choice in range(self._mailbox.answers)]
        touched = dict.fromkeys(choice for output in outputs for choice in self._note(output))
        self._count()
        growths = (self._writers[choice].take(choice) for choice in touched)
        return [growth for growth in growths if growth is not None]

    def _note(self, output: Output) -> Iterable[int]:
        """Give an output to the choices that it is about, and return these."""
        first = self._mailbox.first_choice_of(output.job)
        if isinstance(output, PromptLogprobs):
            request = output.job.request
            choices = range(first, first + request.choices)
            for choice in choices:
                self._writers[choice].note_prompt(request.prompt, output.logprobs)
            return choices
        choice = first + output.choice
        self._writers[choice].note(output)
        return (choice,)

    def _count(self) -> None:
        """Bring the usage up to date; it counts also where the caller goes away."""
        usage = self.usage
        usage.completion_tokens = sum(writer.completion_tokens for writer in self._writers)
        usage.reasoning_tokens = sum(writer.reasoning_tokens for writer in self._writers)
        usage.cached_tokens = sum(job.sequences[0].cached_tokens for job in self._mailbox.jobs)
