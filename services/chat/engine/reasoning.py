"""Tells what a model thinks from what it says: `<think>…</think>` and its like."""

from dataclasses import dataclass

from services.chat.engine.events import ContentDelta, Event, Parser, ReasoningDelta
from services.chat.engine.reader import Reader, Steps, overlap


@dataclass(frozen=True, slots=True)
class ReasoningTags:
    """The marks around reasoning; either may be a special token, which then has to be shown."""

    begin: str
    end: str

    def are_open_at(self, prompt: str) -> bool:
        """Return whether a prompt ends inside the tags: the answer begins with thoughts."""
        return prompt.rstrip().endswith(self.begin)


TAGS = (
    ReasoningTags("<think>", "</think>"),
    ReasoningTags("[THINK]", "[/THINK]"),
    ReasoningTags("<seed:think>", "</seed:think>"),
    ReasoningTags("<|START_THINKING|>", "<|END_THINKING|>"),
)
"""DeepSeek, Qwen, GLM and most others; Mistral; Seed-OSS; Cohere."""


def detect_tags(template: str) -> ReasoningTags | None:
    """Return the tags that a chat template's text names; a template that cuts thoughts out does."""
    return next((tags for tags in TAGS if tags.end in template), None)


class ReasoningParser:
    """Splits an answer into thoughts and content.

    Thoughts come first or not at all: a tag further on is content, for one may write about tags.
    The line breaks inside and behind the tags belong to the tags, as templates write them.
    """

    def __init__(self, tags: ReasoningTags, *, is_open: bool) -> None:
        """Begin an answer.

        Args:
            tags: The marks around reasoning.
            is_open: Whether the prompt has already written the first of them.
        """
        self._tags = tags
        self._reader = Reader()
        self._events = list[Event]()
        self._steps = self._read(is_open)
        next(self._steps)

    def feed(self, text: str) -> list[Event]:
        """Return what is certain by now."""
        self._reader.feed(text)
        return self._advance()

    def finish(self) -> list[Event]:
        """Return what is left; thoughts that never ended are thoughts."""
        self._reader.is_ended = True
        return self._advance()

    def _advance(self) -> list[Event]:
        next(self._steps, None)
        events, self._events = self._events, []
        return events

    def _read(self, is_open: bool) -> Steps[None]:
        reader = self._reader
        if not is_open:
            yield from reader.skip_space()
        if is_open or (yield from reader.take(self._tags.begin)):
            yield from self._read_thoughts()
        else:
            reader.rewind()
        while True:
            if reader.rest:
                self._events.append(ContentDelta(reader.read(len(reader.rest))))
                reader.settle()
            yield

    def _read_thoughts(self) -> Steps[None]:
        reader, end = self._reader, self._tags.end
        yield from self._skip_line_breaks()
        while (found := reader.rest.find(end)) < 0 and not reader.is_ended:
            rest = reader.rest
            open_end = rest[: len(rest) - overlap(rest, [end])]
            self._think(len(open_end.rstrip("\n")))
            yield
        if found < 0:
            self._think(len(reader.rest))
        else:
            self._think(len(reader.rest[:found].rstrip("\n")))
            yield from reader.until(end)
            yield from self._skip_line_breaks()

    def _skip_line_breaks(self) -> Steps[None]:
        while (yield from self._reader.take("\n")):
            pass
        self._reader.settle()

    def _think(self, count: int) -> None:
        if count:
            self._events.append(ReasoningDelta(self._reader.read(count)))
            self._reader.settle()


class AnswerParser:
    """Thoughts first, then what a second parser makes of the content."""

    def __init__(self, reasoning: Parser, content: Parser) -> None:
        self._reasoning = reasoning
        self._content = content

    def feed(self, text: str) -> list[Event]:
        """Return what is certain by now."""
        return self._through(self._reasoning.feed(text))

    def finish(self) -> list[Event]:
        """Return what is left."""
        return self._through(self._reasoning.finish()) + self._content.finish()

    def _through(self, events: list[Event]) -> list[Event]:
        passed = list[Event]()
        for event in events:
            if isinstance(event, ContentDelta):
                passed += self._content.feed(event.text)
            else:
                passed.append(event)
        return passed
