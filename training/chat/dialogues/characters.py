"""Letters: spelling, reversing, counting, capitals; the way is told before the result."""

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases

_PHRASES = phrases("characters")
_QUOTES = ("{}", '"{}"', "'{}'", "{}", '"{}"')
_PLACES = {"first": 0, "last": -1, "second": 1, "third": 2}


def _word(author: Author) -> str:
    """Return what to take apart; names and cities are among it."""
    kind = author.rng.random()
    if kind < 0.12:
        return author.person()
    if kind < 0.2:
        return author.city()
    return author.made_up() if kind < 0.4 else author.word()


def _words(author: Author, *counts: int) -> str:
    return " ".join(_word(author) for _ in range(author.one(counts)))


def _asked(author: Author, kind: str, word: str, **slots: str) -> str:
    return author.ask(*_PHRASES[kind], q=author.one(_QUOTES).format(word), **slots)


def _spelled(word: str) -> str:
    return "-".join(word.lower())


def spelling(author: Author) -> tuple[Message, ...]:
    """A word, letter by letter."""
    word = _word(author)
    return exchange(_asked(author, "spell", word), f"{word}: {_spelled(word)}")


def reversal(author: Author) -> tuple[Message, ...]:
    """A word backwards: its letters, the letters from the end, the word."""
    word = _word(author).lower()
    backwards = word[::-1]
    answer = f"{_spelled(word)} becomes {_spelled(backwards)}: {backwards}"
    return exchange(_asked(author, "reverse", word), answer)


def capitals(author: Author) -> tuple[Message, ...]:
    """A word or more in capital letters."""
    text = _words(author, 1, 1, 1, 1, 2, 2, 3, 4)
    return exchange(_asked(author, "upper", text), text.upper())


def small_letters(author: Author) -> tuple[Message, ...]:
    """A word or more in small letters."""
    text = _words(author, 1, 1, 1, 2, 3)
    loud = text.upper() if author.chance(0.8) else text.title()
    return exchange(_asked(author, "lower", loud), text.lower())


def length(author: Author) -> tuple[Message, ...]:
    """How many letters a word has, counted."""
    word = _word(author)
    counted = " ".join(f"{letter}{place}" for place, letter in enumerate(word.lower(), start=1))
    unit = "letter" if len(word) == 1 else "letters"
    return exchange(_asked(author, "length", word), f"{counted}. {word} has {len(word)} {unit}.")


def occurrences(author: Author) -> tuple[Message, ...]:
    """How often a letter is in a word."""
    word = _word(author)
    letter = author.one(word.lower()) if author.chance(0.8) else author.one("aeiorstnlp")
    shown = author.one((letter, letter, f'"{letter}"', f"'{letter}'", letter.upper()))
    times = word.lower().count(letter)
    unit = "time" if times == 1 else "times"
    answer = f"{_spelled(word)}. The letter {letter} is in {word} {times} {unit}."
    return exchange(_asked(author, "occurrences", word, letter=shown), answer)


def position(author: Author) -> tuple[Message, ...]:
    """The first, last or another letter of a word."""
    word = _word(author).lower()
    place = author.one(("first", "last")) if len(word) < 3 else author.one(tuple(_PLACES))
    kind = place if place in {"first", "last"} else "nth"
    answer = f"{_spelled(word)}: the {place} letter is {word[_PLACES[place]]}."
    return exchange(_asked(author, kind, word, place=place), answer)
