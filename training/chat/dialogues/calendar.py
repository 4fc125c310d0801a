"""Days and months: what comes before and after, and how long they are."""

from training.chat.author import DAYS, MONTHS, Author, ordinal
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases

_PHRASES = phrases("facts")
_SHORT_MONTHS = {"February": "28", "April": "30", "June": "30", "September": "30", "November": "30"}


def neighbours(author: Author) -> tuple[Message, ...]:
    """The day or the month before or after another."""
    names, unit = author.one(((DAYS, "day"), (MONTHS, "month")))
    place = author.number(0, len(names) - 1)
    name = names[place]
    kind, other = author.one(
        (("after", names[(place + 1) % len(names)]), ("before", names[place - 1]))
    )
    question = author.ask(*_PHRASES[kind], unit=unit, name=name)
    return exchange(question, f"{other} comes {kind} {name}.")


def today(author: Author) -> tuple[Message, ...]:
    """Today, tomorrow, yesterday, and whether it is the weekend."""
    place = author.number(0, 6)
    name, after, before = DAYS[place], DAYS[(place + 1) % 7], DAYS[place - 1]
    kind, answer = author.one(
        (
            ("tomorrow", f"If today is {name}, tomorrow is {after}."),
            ("yesterday", f"If today is {name}, yesterday was {before}."),
            ("today", f"If tomorrow is {name}, today is {before}."),
            ("weekday", f"{name} is {'part of the weekend' if place > 4 else 'a weekday'}."),
        )
    )
    return exchange(author.ask(*_PHRASES[kind], name=name), answer)


def months(author: Author) -> tuple[Message, ...]:
    """Which month it is by its number, and how many days it has."""
    place = author.number(1, 12)
    name = MONTHS[place - 1]
    if author.chance(0.5):
        question = author.ask(*_PHRASES["nth_month"], nth=ordinal(place), n=place)
        return exchange(question, f"The {ordinal(place)} month is {name}.")
    leap = ", or 29 in a leap year" if name == "February" else ""
    days = _SHORT_MONTHS.get(name, "31")
    return exchange(
        author.ask(*_PHRASES["month_days"], name=name), f"{name} has {days} days{leap}."
    )
