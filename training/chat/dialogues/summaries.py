"""Two sentences made into one."""

from training.chat.author import Author
from training.chat.deeds import draw_deed, lowered
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, rows, words

_PHRASES = phrases("summaries")


def summary(author: Author) -> tuple[Message, ...]:
    """Two sentences about the same, said in one."""
    text, answer = author.one((_events, _events, _deeds, _deeds, _qualities))(author)
    return exchange(author.ask(*_PHRASES["summarise"], t=text), answer)


def _events(author: Author) -> tuple[str, str]:
    """What somebody did and what came of it."""
    first, second = author.one(rows("summaries", "acts"))
    slots = _slots(author)
    one, two = first.format(**slots), second.format(**slots)
    opening, subject = author.one(_PHRASES["openings"]), _subject(author)
    if opening:
        subject = lowered(subject)
    again = author.one((*_PHRASES["again"], subject[0].upper() + subject[1:]))
    return f"{opening}{subject} {one}. {again} {two}.", f"{opening}{subject} {one} and {two}."


def _slots(author: Author) -> dict[str, str]:
    thing, other = author.some(words("objects"), 2, 2)
    animal = author.one(("dog", "cat", "fox", "horse", "bird"))
    return {
        "a": f"a {author.of('adjectives')} {thing}",
        "object": other,
        "animal": f"a {author.of('adjectives')} {animal}",
        "other": author.person(),
        "city": author.city(),
        "day": author.day(),
        "n": str(author.number(2, 9)),
        "place": author.of("places"),
        "food": author.of("foods"),
        "color": author.of("colors"),
        "instrument": author.of("instruments"),
    }


def _subject(author: Author) -> str:
    job = author.of("jobs")
    relative = author.one(("brother", "sister", "friend", "neighbour", "teacher"))
    person = author.person()
    return author.one(
        (person, person, f"The {job}", f"My {relative}", f"The {author.of('adjectives')} {job}")
    )


def _deeds(author: Author) -> tuple[str, str]:
    """Two deeds of one or of two, with `and` between them."""
    first = draw_deed(author, is_past=True, place_chance=0.3)
    is_same = author.chance(0.6)
    who = first.subject if is_same else None
    second = draw_deed(author, who=who, is_past=True, place_chance=0.3)
    if is_same:
        again = author.one((*_PHRASES["again"], "It", first.subject))
        text = f"{first.sentence}. {again} {second.told}."
        return text, f"{first.sentence} and {second.told}."
    text = f"{first.sentence}. {second.sentence}."
    return text, f"{first.sentence} and {lowered(second.sentence)}."


def _qualities(author: Author) -> tuple[str, str]:
    """How one thing is or two are; what followed from it."""
    a, b = author.some(words("objects") + words("animals") + words("jobs"), 2, 2)
    x, y = author.some(words("adjectives"), 2, 2)
    event = author.one(_PHRASES["events"]).format(b=b)
    deed = author.of("verbs")
    return author.one(
        (
            (f"The {a} is {x}. The {b} is {y}.", f"The {a} is {x} and the {b} is {y}."),
            (f"The {a} is {x}. It is also {y}.", f"The {a} is {x} and {y}."),
            (f"The {a} is {x}. It is {y}.", f"The {a} is {x} and {y}."),
            (f"The {a} was {x}. The {b} was {y}.", f"The {a} was {x} and the {b} was {y}."),
            (f"The {a} was {x}. We {event}.", f"The {a} was {x} and we {event}."),
            (f"The {a} was {x}. It could not {deed}.", f"The {a} was {x} and could not {deed}."),
            (f"The {a} is {x}. But it is {y}.", f"The {a} is {x} but {y}."),
        )
    )
