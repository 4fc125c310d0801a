"""Values by kind, as people give them to tools or describe things with them."""

from collections.abc import Callable
from typing import Any

from training.chat.author import Author
from training.chat.lexicon import phrases, read, words

Draw = Callable[[Author], Any]

_PHRASES = phrases("values")
_WORDS: dict[str, str] = read("phrases/values")["words"]


def _text(author: Author) -> str:
    """Return a few words that somebody may want sent or noted."""
    slots = {"v": author.of("verbs"), "V": author.of("verbs"), "n": author.word()}
    slots |= {"m": author.word(), "p": author.person(), "t": author.clock(), "d": author.day()}
    return author.say(*_PHRASES["text"], c=author.city(), a=author.of("adjectives"), **slots)


def _title(author: Author) -> str:
    nouns = {"N": author.word().capitalize(), "M": author.word().capitalize()}
    quality, made_up = author.of("adjectives").capitalize(), author.made_up().capitalize()
    return author.say(*_PHRASES["title"], A=quality, W=made_up, **nouns)


def _listed(name: str) -> Draw:
    options = tuple(_WORDS[name].strip().split("|"))
    return lambda author: author.one(options)


def _between(least: int, most: int) -> Draw:
    return lambda author: author.number(least, most)


def _day(author: Author) -> str:
    return author.one((author.day(), author.day(), "today", "tomorrow", "tonight"))


def _date(author: Author) -> str:
    if author.chance(0.5):
        return author.date()
    year, month, day = author.number(2024, 2030), author.number(1, 12), author.number(1, 28)
    return f"{year}-{month:02}-{day:02}"


def _amount(author: Author) -> float:
    return author.one((author.number(1, 999), author.number(1, 500), author.number(1, 99) + 0.5))


def _degrees(author: Author) -> float:
    return author.one((author.number(10, 30), author.number(15, 25) + 0.5))


def _query(author: Author) -> str:
    thing, place = author.of("objects"), author.city()
    return author.one((
        f"{author.of('adjectives')} {thing}", f"{author.word()} {author.word()}", author.word(),
        f"{author.of('ideas')} in {place}", f"how to {author.of('verbs')} {thing}s",
    ))  # fmt: skip


def _item(author: Author) -> str:
    thing = author.of("objects")
    return author.one(
        (thing, f"{author.of('colors')} {thing}", author.of("foods"), author.of("fruits"))
    )


def _file(author: Author) -> str:
    name = author.word() + author.one(("", f"_{author.word()}", str(author.number(1, 99))))
    return f"{name}.{author.one(('txt', 'pdf', 'csv', 'png', 'md', 'json', 'py', 'mp3'))}"


def _url(author: Author) -> str:
    host = f"{author.made_up()}.{author.one(('com', 'org', 'net'))}"
    return f"https://{host}{author.one(('', f'/{author.word()}'))}"


def _symbol(author: Author) -> str:
    return "".join(author.one("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(author.number(2, 4)))


def _artist(author: Author) -> str:
    band = f"The {author.of('animals').capitalize()}s"
    return author.one((author.full_name(), band, author.made_up().capitalize()))


def _expression(author: Author) -> str:
    a, b, c = author.number(1, 9999), author.number(2, 999), author.number(1, 99)
    return author.say("{a} (+|-|*|/) {b}", "{a} (+|-|*|/) {b} (+|-|*) {c}", a=a, b=b, c=c)


def _prompt(author: Author) -> str:
    if author.chance(0.5):
        return f"a {author.of('adjectives')} {author.word()}"
    return f"{author.of('animals')} on a {author.of('objects')}"


def _person(author: Author) -> str:
    return author.person() if author.chance(0.7) else author.full_name()


def _headline(author: Author) -> str:
    return f"The {author.of('adjectives').capitalize()} {author.of('objects').capitalize()}"


def _of(kind: str) -> Draw:
    return lambda author: author.of(kind)


DRAWS: dict[str, Draw] = {
    # What tools take, in the order of `phrases/parameters`.
    "city": Author.city,
    "country": _listed("country"),
    "person": _person,
    "day": _day,
    "date": _date,
    "time": Author.clock,
    "minutes": _between(1, 90),
    "seconds": _between(1, 99),
    "count": _between(1, 20),
    "guests": _between(1, 12),
    "nights": _between(1, 14),
    "amount": _amount,
    "percent": _between(0, 100),
    "degrees": _degrees,
    "title": _title,
    "message": _text,
    "query": _query,
    "item": _item,
    "id": Author.code,
    "number_id": _between(1, 9999),
    "email": Author.email,
    "symbol": _symbol,
    "word": Author.word,
    "file": _file,
    "url": _url,
    "artist": _artist,
    "room": _listed("room"),
    "color": _of("colors"),
    "maximum": _between(2, 1000),
    "expression": _expression,
    "prompt": _prompt,
    # What things are described with besides.
    "first_name": Author.person,
    "full_name": Author.full_name,
    "age": _between(3, 99),
    "small": _between(0, 99),
    "number": _between(0, 5000),
    "tenths": lambda author: author.number(1, 99) / 10,
    "price": lambda author: author.one((author.number(1, 500), author.number(1, 99) + 0.5)),
    "year": _between(1800, 2030),
    "flag": lambda author: author.chance(0.5),
    "job": lambda author: author.one([job for job in words("jobs") if job[0] not in "aeiou"]),
    "sport": _of("sports"),
    "object": _of("objects"),
    "animal": _of("animals"),
    "food": _of("foods"),
    "pet": lambda author: author.of_table("pets"),
    "headline": _headline,
    "event": _listed("event"),
    "vehicle": _listed("vehicle"),
    "ingredients": lambda author: author.some(words("vegetables") + words("fruits"), 2, 4),
}
"""How the value of each kind is drawn."""
