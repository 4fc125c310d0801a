"""Names, dates and other details found in a sentence."""

from training.chat.author import Author
from training.chat.deeds import draw_deed
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, read

_PHRASES = phrases("extraction")


_DETAILS: dict[str, str] = read("phrases/details")


def details(author: Author) -> dict[str, str]:
    """Return what sentences are filled with."""
    amount = author.number(1, 999)
    return {
        "person": author.full_name() if author.chance(0.5) else author.person(),
        "other": author.person(),
        "date": author.date(),
        "city": author.city(),
        "price": author.one(
            (
                f"${amount}",
                f"{amount} euros",
                f"{amount} dollars",
                f"€{amount}",
                f"${amount}.{author.number(10, 99)}",
                f"{amount} pounds",
            )
        ),
        "email": author.email(),
        "time": author.clock(),
        "day": author.day(),
        "code": author.code(),
        "year": str(author.number(1500, 2030)),
        "thing": author.of("objects"),
        "place": author.of("places"),
        "event": author.one(
            [
                "concert",
                "wedding",
                "exhibition",
                "festival",
                "conference",
                "match",
                "race",
                "party",
                "fair",
                "parade",
                "lecture",
                "auction",
                "premiere",
                "reunion",
                "workshop",
            ]
        ),
        "number": str(author.number(1, 99)),
    }


def extraction(author: Author) -> tuple[Message, ...]:
    """One detail of a sentence, and no more."""
    slots = details(author)
    text = (
        _any_deed(author, slots)
        if author.chance(0.35)
        else author.say(*_PHRASES["sentences"], **slots)
    )
    if author.chance(0.25):
        extra = author.say(
            *_PHRASES["aside"],
            a=author.of("adjectives"),
            n=author.of("objects"),
        )
        text = f"{text} {extra}" if author.chance(0.6) else f"{extra} {text}"
    present = [
        kind
        for kind in _DETAILS
        if slots[kind] in text and (kind != "person" or slots["other"] not in text)
    ]
    if author.chance(0.6):
        present = [kind for kind in present if kind in {"person", "date"}] or present
    if not present:
        return extraction(author)
    kind = author.one(present)
    patterns = _PHRASES["patterns"]
    if author.chance(0.25):
        patterns = {
            "person": _PHRASES["who"],
            "date": _PHRASES["when"],
            "city": _PHRASES["where"],
        }.get(kind, _PHRASES["patterns"])
    name = author.say(_DETAILS[kind])
    return exchange(author.ask(*patterns, k=name, K=name.capitalize(), s=text), slots[kind])


def _any_deed(author: Author, slots: dict[str, str]) -> str:
    """Return a sentence of what somebody did, with details before or behind it."""
    deed = draw_deed(author, who=slots["person"], is_past=True, place_chance=0.0)
    told = {"verb": deed.spoken, "object": deed.object} | slots
    return author.say(
        *_PHRASES["deed"],
        **told,
    )


def absent(author: Author) -> tuple[Message, ...]:
    """A detail that is not there."""
    slots = details(author)
    text = author.say(
        *_PHRASES["bare"],
        **slots,
    )
    absent_kinds = [kind for kind in ("date", "price", "email", "time") if slots[kind] not in text]
    kind = author.one(absent_kinds)
    name = author.say(_DETAILS[kind])
    return exchange(
        author.ask(*_PHRASES["patterns"][:6], k=name, K=name, s=text),
        f"There is no {name} in this text.",
    )


def both(author: Author) -> tuple[Message, ...]:
    """Two details at once."""
    slots = details(author)
    text = author.say(*_PHRASES["sentences"], **slots)
    present = [
        kind
        for kind in ("person", "date", "city", "price", "email", "time")
        if slots[kind] in text and (kind != "person" or slots["other"] not in text)
    ]
    if len(present) < 2:
        return extraction(author)
    first, second = author.some(present, 2, 2)
    question = author.ask(
        *_PHRASES["both"],
        a=first,
        b=second,
        s=text,
    )
    return exchange(
        question, f"{first.capitalize()}: {slots[first]}\n{second.capitalize()}: {slots[second]}"
    )
