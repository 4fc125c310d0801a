"""Things told earlier in a conversation and asked for later."""

from collections.abc import Callable, Sequence
from typing import Any

from training.chat.author import MONTHS, Author
from training.chat.dialogue import Message, Sketch, exchange
from training.chat.lexicon import phrases, read, words

_PHRASES = phrases("memory")
_FACTS: list[dict[str, Any]] = read("phrases/memory")["facts"]
"""What a person says about themself: `{v}` is the value, or `{a}` and `{b}` where it has two."""
_WORDS: dict[str, list[str]] = {
    kind: told.split() for kind, told in read("phrases/memory")["words"].items()
}
_RELATIVES: list[str] = read("phrases/memory")["words"]["relative"].strip().split("|")


def _job(author: Author) -> str:
    if author.chance(0.3):
        return author.one(_WORDS["job"])
    if author.chance(0.15):
        return f"{author.made_up()}er"
    return author.one([job for job in words("jobs") if job[0] not in "aeiou"])


def _number(author: Author) -> str:
    return str(author.number(1, 99) if author.chance(0.7) else author.number(100, 9999))


def _pet(author: Author) -> tuple[str, str]:
    return author.one(_WORDS["pet"]), author.person() if author.chance(0.2) else author.of_table(
        "pets"
    )


_DRAWS: dict[str, Callable[[Author], str | tuple[str, str]]] = {
    "name": Author.person,
    "color": lambda author: author.word() if author.chance(0.25) else author.of("colors"),
    "number": _number,
    "city": Author.city,
    "pet": _pet,
    "job": _job,
    "age": lambda author: str(author.number(5, 99)),
    "food": lambda author: author.one((author.of("foods"), author.of("fruits"), author.word())),
    "relative": lambda author: (author.one(_RELATIVES), author.person()),
    "word": lambda author: author.one((author.word(), author.made_up(), author.code())),
    "thing": lambda author: (author.one(_WORDS["possession"]), author.of("colors")),
    "birthday": lambda author: f"{author.number(1, 28)} {author.one(MONTHS)}",
    "date": lambda author: (author.one(_WORDS["date"]), author.one((author.day(), author.clock()))),
    "hobby": lambda author: author.one(_WORDS["hobby"]),
}


def remembered(author: Author, between: Sequence[Sketch]) -> tuple[Message, ...]:
    """Some facts, other talk between, and questions about what was told.

    Args:
        author: Draws it.
        between: What else may be talked about meanwhile.
    """
    facts = author.some(_FACTS, 1, 3)
    told: list[tuple[dict[str, Any], dict[str, str]]] = [
        (fact, _slots(_DRAWS[fact["kind"]](author))) for fact in facts
    ]
    turns: list[Message] = []
    if author.chance(0.25) and len(told) > 1:
        tells = " ".join(_ended(author.ask(*fact["tell"], **slots)) for fact, slots in told)
        turns += exchange(
            tells,
            author.one(_PHRASES["noted"]),
        )
    else:
        for fact, slots in told:
            turns += exchange(
                author.ask(*fact["tell"], **slots), author.say(*fact["reply"], **slots)
            )
            if author.chance(0.3):
                turns += author.one(between)(author)
    if author.chance(0.12):
        changed = author.number(0, len(told) - 1)
        fact, old = told[changed]
        slots = _slots(_DRAWS[fact["kind"]](author))
        if "a" not in slots:
            told[changed] = fact, slots
            turns += exchange(
                author.say(
                    *_PHRASES["correction"],
                    o=old["v"],
                    v=slots["v"],
                ),
                author.say(*_PHRASES["corrected"], v=slots["v"]),
            )
    for _ in range(author.one((0, 0, 0, 1, 1, 2, 3))):
        turns += author.one(between)(author)
    author.rng.shuffle(told)
    for fact, slots in told[: author.number(1, 3)]:
        turns += exchange(author.ask(*fact["ask"], **slots), author.say(*fact["answer"], **slots))
        if author.chance(0.15):
            turns += author.one(between)(author)
    return tuple(turns)


def never_told(author: Author, between: Sequence[Sketch]) -> tuple[Message, ...]:
    """A question about what was not told; other things were, perhaps."""
    facts = author.some(_FACTS, 2, 2)
    turns: list[Message] = []
    if author.chance(0.6):
        slots = _slots(_DRAWS[facts[1]["kind"]](author))
        turns += exchange(
            author.ask(*facts[1]["tell"], **slots), author.say(*facts[1]["reply"], **slots)
        )
    if author.chance(0.4):
        turns += author.one(between)(author)
    asked = author.ask(*facts[0]["ask"], **_slots(_DRAWS[facts[0]["kind"]](author)))
    turns += exchange(asked, author.say(*_PHRASES["untold"], it=facts[0]["unknown"]))
    return tuple(turns)


def _slots(value: str | tuple[str, str]) -> dict[str, str]:
    if isinstance(value, tuple):
        return {"a": value[0], "b": value[1]}
    return {"v": value, "V": value.capitalize()}


def _ended(text: str) -> str:
    return text if text[-1] in ".!?" else f"{text}."
