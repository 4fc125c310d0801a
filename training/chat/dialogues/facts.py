"""Capitals, colours, animals, opposites: a small world of simple facts."""

from functools import cache

from training.chat.author import Author, article
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, read

_PHRASES = phrases("facts")


@cache
def rows(kind: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of a table of facts."""
    return tuple(tuple(line.split("|")) for line in read("facts")[kind].strip().splitlines())


def _quoted(author: Author, word: str) -> str:
    return author.one((word, f'"{word}"', f"'{word}'"))


def _opened(text: str) -> str:
    return text[0].upper() + text[1:]


def capital(author: Author) -> tuple[Message, ...]:
    """The capital of a country, the country of a capital, or what is spoken there."""
    country, city, language = author.one(rows("capitals"))
    kind = author.rng.random()
    if kind < 0.62:
        question = author.ask(*_PHRASES["capital"], country=country)
        return exchange(question, f"The capital of {country} is {city}.")
    if kind < 0.82:
        question = author.ask(*_PHRASES["country"], city=city)
        return exchange(question, f"{city} is the capital of {country}.")
    question = author.ask(*_PHRASES["language"], country=country)
    return exchange(question, f"People in {country} speak {language}.")


def color(author: Author) -> tuple[Message, ...]:
    """The colour of a thing."""
    thing, result = author.one(rows("colors"))
    return exchange(author.ask(*_PHRASES["color"], thing=thing), f"{_opened(thing)} is {result}.")


def mixture(author: Author) -> tuple[Message, ...]:
    """The colour that two others make."""
    both, result = author.one(rows("mixtures"))
    first, second = author.some(both.split(" and "), 2, 2)
    question = author.ask(*_PHRASES["mixture"], a=first, b=second)
    return exchange(question, f"{_opened(first)} and {second} make {result}.")


def sound(author: Author) -> tuple[Message, ...]:
    """What an animal says."""
    animal, said = author.one(rows("sounds"))
    one = article(animal)
    return exchange(author.ask(*_PHRASES["sound"], animal=one), f"{_opened(one)} says {said}.")


def young(author: Author) -> tuple[Message, ...]:
    """What a young animal is called."""
    animal, name = author.one(rows("young"))
    answer = f"A young {animal} is called a {name}."
    return exchange(author.ask(*_PHRASES["young"], animal=animal), answer)


def legs(author: Author) -> tuple[Message, ...]:
    """How many legs an animal has."""
    animal, number = author.one(rows("legs"))
    one, unit = article(animal), "" if "arms" in number else " legs"
    question = author.ask(*_PHRASES["legs"], animal=one)
    return exchange(question, f"{_opened(one)} has {number}{unit}.")


def opposite(author: Author) -> tuple[Message, ...]:
    """The opposite of a word."""
    word, other = author.one(rows("opposites"))[:: author.one((1, 1, 1, 1, -1))]
    question = author.ask(*_PHRASES["opposite"], w=_quoted(author, word))
    return exchange(question, f"The opposite of {word} is {other}.")


def plural(author: Author) -> tuple[Message, ...]:
    """The plural of a word."""
    word, several = author.one(rows("plurals"))
    question = author.ask(*_PHRASES["plural"], w=_quoted(author, word), word=word)
    return exchange(question, f"The plural of {word} is {several}.")


def amount(author: Author) -> tuple[Message, ...]:
    """How many of one thing are in another."""
    parts, whole, number = author.one(rows("counts"))
    question = author.ask(*_PHRASES["amount"], parts=parts, whole=whole)
    return exchange(question, f"{_opened(whole)} has {number} {parts}.")


def known(author: Author) -> tuple[Message, ...]:
    """One of the facts that stand alone."""
    fact = author.one(read("facts")["known"])
    return exchange(author.ask(*fact["ask"]), author.say(*fact["say"]))
