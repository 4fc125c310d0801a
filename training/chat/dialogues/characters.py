"""Letters: spelling, reversing, counting, capitals; the way is told before the result."""

from collections.abc import Callable
from itertools import count

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
    return exchange(_asked(author, "spell", word), _spelled_out(word))


def _spelled_out(word: str) -> str:
    return f"{word}: {_spelled(word)}"


def _reversed(word: str) -> str:
    word = word.lower()
    return f"{_spelled(word)} becomes {_spelled(word[::-1])}: {word[::-1]}"


def _counted(word: str) -> str:
    letters = " ".join(f"{letter}{place}" for place, letter in enumerate(word.lower(), start=1))
    return f"{letters}. {word} has {len(word)} {'letter' if len(word) == 1 else 'letters'}."


_EACH: dict[str, Callable[[str], str]] = {
    "spell": _spelled_out,
    "reverse": _reversed,
    "length": _counted,
    "upper": str.upper,
}


def several(author: Author) -> tuple[Message, ...]:
    """Some words, each taken apart."""
    kind = author.one(("spell", "spell", "reverse", "length", "upper", "upper"))
    words = [_word(author) for _ in range(author.number(2, 6))]
    shown = author.series(words)
    question = author.ask(*_PHRASES[f"{kind}_each"], q=shown)
    return exchange(question, "\n".join(map(_EACH[kind], words)))


def reversal(author: Author) -> tuple[Message, ...]:
    """A word backwards: its letters, the letters from the end, the word."""
    word = _word(author)
    return exchange(_asked(author, "reverse", word.lower()), _reversed(word))


def capitals(author: Author) -> tuple[Message, ...]:
    """A word or more in capital letters."""
    text = _words(author, 1, 1, 1, 2, 2, 3, 4, 6)
    return exchange(_asked(author, "upper", text), text.upper())


def small_letters(author: Author) -> tuple[Message, ...]:
    """A word or more in small letters."""
    text = _words(author, 1, 1, 1, 2, 3)
    loud = text.upper() if author.chance(0.8) else text.title()
    return exchange(_asked(author, "lower", loud), text.lower())


def length(author: Author) -> tuple[Message, ...]:
    """How many letters a word has, counted."""
    word = _word(author)
    return exchange(_asked(author, "length", word), _counted(word))


def occurrences(author: Author) -> tuple[Message, ...]:
    """How often a letter is in a word."""
    word = _word(author)
    letter = author.one(word.lower()) if author.chance(0.8) else author.one("aeiorstnlp")
    shown = author.one((letter, letter, f'"{letter}"', f"'{letter}'", letter.upper()))
    times = word.lower().count(letter)
    unit = "time" if times == 1 else "times"
    answer = f"{_numbered(word.lower(), letter)}. The letter {letter} is in {word} {times} {unit}."
    return exchange(_asked(author, "occurrences", word, letter=shown), answer)


def _numbered(word: str, letter: str) -> str:
    """Return a spelled word in which a letter is counted: `b-a1-n-a2-n-a3`."""
    places = count(1)
    return "-".join(f"{each}{next(places)}" if each == letter else each for each in word)


def position(author: Author) -> tuple[Message, ...]:
    """The first, last or another letter of a word."""
    word = _word(author).lower()
    place = author.one(("first", "last")) if len(word) < 3 else author.one(tuple(_PLACES))
    kind = place if place in {"first", "last"} else "nth"
    answer = f"{_spelled(word)}: the {place} letter is {word[_PLACES[place]]}."
    return exchange(_asked(author, kind, word, place=place), answer)
