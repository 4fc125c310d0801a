"""One answer in the making: few facts, and what follows from them."""

from dataclasses import dataclass, field
from enum import Enum

from services.chat.engine.request import Request


class Reason(Enum):
    """Why an answer ended."""

    STOP = "stop"
    """The model ended it, or a stop string or token did."""
    LENGTH = "length"
    """It is as long as it may become."""
    CANCELLED = "cancelled"
    """The caller has gone."""
    DEADLINE = "deadline"
    """The caller's time was over."""
    UNWRITABLE = "unwritable"
    """Its grammar allows no token: it is too much work to follow, or the model cannot write it."""
    FAILED = "failed"
    """The model gave no finite numbers."""


@dataclass(eq=False, slots=True)
class Job:
    """A request that was taken, with a sequence for each of its choices."""

    request: Request
    sequences: list["Sequence"] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """Whether every choice has ended."""
        return all(sequence.reason is not None for sequence in self.sequences)


@dataclass(eq=False, slots=True)
class Sequence:
    """One choice of a request.

    0 <= cached <= computed <= tokens <= most: what was found in a slot, what the slot holds by
    now, what is known, and what the answer may grow to.
    """

    job: Job
    choice: int
    """Its place among the choices of the request."""
    most_tokens: int
    """Prompt and answer together."""
    tokens: list[int]
    """The prompt, and the answer as it grows."""
    slot: int | None = None
    """Where its keys and values are; None while it waits and when it has ended."""
    cached_tokens: int = 0
    """Tokens of the prompt that a slot held already."""
    computed_tokens: int = 0
    """Tokens whose keys and values its slot holds."""
    served: int = 0
    """The step that served it last."""
    reason: Reason | None = None
    """Why it ended; None while it goes on."""

    @property
    def prompt_tokens(self) -> int:
        """Length of the prompt."""
        return len(self.job.request.prompt)

    @property
    def answer(self) -> list[int]:
        """What was chosen so far."""
        return self.tokens[self.prompt_tokens :]

    @property
    def answer_tokens(self) -> int:
        """Length of the answer so far."""
        return len(self.tokens) - self.prompt_tokens

    @property
    def missing_tokens(self) -> int:
        """Tokens to compute before the next one can be chosen; 1 for an answer that grows."""
        return len(self.tokens) - self.computed_tokens

    @property
    def has_room(self) -> bool:
        """Whether it may grow."""
        return len(self.tokens) < self.most_tokens

    @property
    def shared_tokens(self) -> list[int]:
        """What a slot may hold already; nothing where every token's logits are wanted."""
        is_scored = self.choice == 0 and self.job.request.prompt_logprobs is not None
        return [] if is_scored else self.tokens

    @property
    def is_ready(self) -> bool:
        """Whether it can begin: later choices wait for the first one's prompt, and copy it."""
        first = self.job.sequences[0]
        return (
            self.choice == 0
            or first.reason is not None
            or first.computed_tokens >= first.prompt_tokens
        )
