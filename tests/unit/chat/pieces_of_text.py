"""Texts cut in every way, and events without their cuts."""

import random
from collections.abc import Callable, Iterator

from services.chat.engine.events import (
    ContentDelta,
    Event,
    Parser,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallEnd,
    ToolCallStart,
)


def cuts(text: str, seeded: random.Random) -> Iterator[list[str]]:
    """Yield the text whole, letter by letter, in any two pieces, and in random ones."""
    yield [text]
    yield list(text)
    for place in range(1, len(text)):
        yield [text[:place], text[place:]]
    for _ in range(30):
        places = sorted(seeded.sample(range(len(text) + 1), min(len(text), 6)))
        yield [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def read(parser: Parser, pieces: list[str]) -> list[Event]:
    """Return every event of a text."""
    return [event for piece in pieces for event in parser.feed(piece)] + parser.finish()


def joined(events: list[Event]) -> list[Event]:
    """Return the events with neighbours of one kind made one."""
    whole = list[Event]()
    for event in events:
        match whole[-1:], event:
            case [ContentDelta(before)], ContentDelta(text):
                whole[-1] = ContentDelta(before + text)
            case [ReasoningDelta(before)], ReasoningDelta(text):
                whole[-1] = ReasoningDelta(before + text)
            case [ToolCallArguments(index, before)], ToolCallArguments(same, fragment):
                assert index == same
                whole[-1] = ToolCallArguments(index, before + fragment)
            case _:
                whole.append(event)
    return whole


def events_however_cut(
    new_parser: Callable[[], Parser], text: str, seeded: random.Random
) -> list[Event]:
    """Return the joined events of a text, the same for every cut."""
    expected = joined(read(new_parser(), [text]))
    for pieces in cuts(text, seeded):
        assert joined(read(new_parser(), pieces)) == expected, pieces
    return expected


def told(events: list[Event]) -> list[object]:
    """Return joined events in short: words as text, calls as a name and arguments.

    Each call has to come whole: begin, arguments, end, numbered from 0.
    """
    story = list[object]()
    calls = 0
    rest = iter(events)
    for event in rest:
        match event:
            case ContentDelta(text):
                story.append(text)
            case ReasoningDelta(text):
                story.append(["thinks", text])
            case ToolCallStart(index, _, name):
                assert index == calls
                calls += 1
                arguments = ""
                following = next(rest)
                if isinstance(following, ToolCallArguments):
                    assert following.index == index
                    arguments = following.fragment
                    following = next(rest)
                assert following == ToolCallEnd(index)
                story.append((name, arguments))
            case _:
                raise AssertionError(event)
    return story
