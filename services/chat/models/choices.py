"""The choices of an answer that is told at once."""

from dataclasses import dataclass, field

from services.chat.engine.events import (
    ContentDelta,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallStart,
)
from services.chat.models.answers import Answers, FinishReason, Growth, TokenLogprob


@dataclass(slots=True)
class Call:
    """A call of a tool."""

    id: str
    name: str
    fragments: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        """JSON as the model wrote it."""
        return "".join(self.fragments)


@dataclass(slots=True)
class Choice:
    """One of the answers to a request."""

    contents: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    """In the order of their indices, which count up."""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: FinishReason | None = None

    @property
    def content(self) -> str:
        """What the caller reads."""
        return "".join(self.contents)

    @property
    def reasoning(self) -> str:
        """What the model thought."""
        return "".join(self.thoughts)

    def grow(self, growth: Growth) -> None:
        """Take what it has grown by."""
        self.logprobs += growth.logprobs
        self.finish = growth.finish
        for event in growth.events:
            match event:
                case ContentDelta(text):
                    self.contents.append(text)
                case ReasoningDelta(text):
                    self.thoughts.append(text)
                case ToolCallStart(_, call_id, name):
                    self.calls.append(Call(call_id, name))
                case ToolCallArguments(index, fragment):
                    self.calls[index].fragments.append(fragment)


async def collect(answers: Answers) -> list[Choice]:
    """Return all choices, in their order, when the last one has ended."""
    choices = dict[int, Choice]()
    async for growths in answers:
        for growth in growths:
            choices.setdefault(growth.choice, Choice()).grow(growth)
    return [choices[index] for index in sorted(choices)]
