"""Dialogues by skill: the sketches, how often each is drawn, and how they make conversations.

A sketch takes an author and returns the turns of a short exchange. Conversations chain a few of
them, so that what came before does not distract.
"""

from collections.abc import Callable

from training.chat.author import Author
from training.chat.dialogue import Dialogue, Message, Sketch
from training.chat.dialogues import (
    arithmetic,
    calendar,
    characters,
    extraction,
    facts,
    foreign,
    instructions,
    memory,
    objects,
    ordering,
    personas,
    reading,
    smalltalk,
    stories,
    summaries,
    switchboard,
    translation,
    unknown,
)
from training.chat.dialogues.tools import conversations as tools

SKETCHES: dict[Sketch, float] = {
    smalltalk.smalltalk: 6,
    smalltalk.greeting: 3,
    switchboard.software: 6,
    switchboard.oneself: 1.5,
    instructions.list_of: 3,
    instructions.example: 2,
    instructions.repetition: 3.5,
    instructions.copying: 3,
    instructions.replacement: 0.6,
    instructions.joining: 0.3,
    ordering.numbers: 1.5,
    ordering.items: 1.5,
    ordering.choice: 1,
    ordering.word_count: 1,
    characters.spelling: 6,
    characters.reversal: 5,
    characters.capitals: 10,
    characters.small_letters: 1.5,
    characters.length: 3,
    characters.occurrences: 3,
    characters.position: 1,
    characters.several: 16,
    translation.translation: 8,
    extraction.extraction: 5,
    extraction.absent: 0.4,
    extraction.both: 0.7,
    reading.yes_or_no: 4,
    reading.deeds: 4,
    reading.qualities: 1,
    reading.wondering: 2,
    summaries.summary: 3,
    arithmetic.calculation: 7,
    arithmetic.several: 6,
    arithmetic.comparison: 0.8,
    arithmetic.neighbour: 1.2,
    arithmetic.counting: 0.3,
    facts.capital: 3,
    facts.color: 0.8,
    facts.mixture: 0.4,
    calendar.neighbours: 0.8,
    calendar.today: 0.5,
    calendar.months: 0.3,
    facts.sound: 0.3,
    facts.young: 0.3,
    facts.legs: 0.3,
    facts.opposite: 0.9,
    facts.plural: 0.6,
    facts.amount: 1,
    facts.known: 1.5,
    stories.story: 3,
    objects.described: 3,
    objects.listed_keys: 2,
    objects.lists: 0.7,
    unknown.unknown: 5,
    foreign.asked: 0.7,
}
"""How often each sketch is drawn, in parts of their sum."""

_SHORT = (
    smalltalk.smalltalk,
    smalltalk.smalltalk,
    smalltalk.greeting,
    switchboard.software,
    switchboard.oneself,
    facts.capital,
    facts.color,
    calendar.neighbours,
    facts.sound,
    facts.legs,
    facts.opposite,
    facts.known,
    facts.amount,
    arithmetic.calculation,
    arithmetic.comparison,
    characters.spelling,
    translation.translation,
    instructions.list_of,
    unknown.unknown,
)
_WITH_TOOLS = (
    smalltalk.smalltalk,
    smalltalk.greeting,
    smalltalk.parting,
    smalltalk.smalltalk,
    switchboard.software,
    switchboard.oneself,
    facts.color,
    facts.opposite,
    facts.sound,
    facts.legs,
    arithmetic.calculation,
    characters.spelling,
)


def _chat(author: Author) -> Dialogue:
    """Some exchanges after each other; most often one."""
    turns: list[Message] = []
    for _ in range(author.one((1, 1, 1, 2, 2, 3, 4))):
        sketch = author.rng.choices(tuple(SKETCHES), tuple(SKETCHES.values()))[0]
        turns += sketch(author)
    if author.chance(0.08):
        turns += smalltalk.parting(author)
    if author.chance(0.12):
        return Dialogue(personas.plain(author, (lambda _author: tuple(turns),)))
    return Dialogue(tuple(turns))


def _remembering(author: Author) -> Dialogue:
    turns = memory.remembered(author, _SHORT)
    if author.chance(0.15):
        return Dialogue(personas.plain(author, (lambda _author: turns,)))
    return Dialogue(turns)


CONVERSATIONS: dict[str, tuple[float, Callable[[Author], Dialogue]]] = {
    "chat": (115, _chat),
    "memory": (9, _remembering),
    "never told": (1.5, lambda author: Dialogue(memory.never_told(author, _SHORT))),
    "plain system": (1, lambda author: Dialogue(personas.plain(author, _SHORT))),
    "named system": (3, lambda author: Dialogue(personas.named(author, _SHORT))),
    "styled system": (4, lambda author: Dialogue(personas.styled(author, _SHORT))),
    "brief system": (1, lambda author: Dialogue(personas.brief(author))),
    "foreign system": (2.5, lambda author: Dialogue(foreign.commanded(author))),
    "tool call": (36, lambda author: tools.called(author, _WITH_TOOLS)),
    "app": (42, lambda author: tools.called_in_app(author, _WITH_TOOLS)),
    "tool calls": (2, lambda author: tools.called_twice(author, _WITH_TOOLS)),
    "tool question": (10, lambda author: tools.asked_back(author, _WITH_TOOLS)),
    "app question": (8, lambda author: tools.asked_back_in_app(author, _WITH_TOOLS)),
    "no such tool": (12, lambda author: tools.refused(author, _WITH_TOOLS)),
    "no tool needed": (3, lambda author: tools.unneeded(author, _WITH_TOOLS)),
}
"""Every kind of conversation with its share."""


def draw_dialogue(author: Author) -> Dialogue:
    """Return a conversation of any kind."""
    shares = [share for share, _ in CONVERSATIONS.values()]
    kind = author.rng.choices(tuple(CONVERSATIONS), shares)[0]
    return CONVERSATIONS[kind][1](author)
