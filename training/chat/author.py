"""Draws words, names, numbers and phrases; what it draws depends on its seed alone."""

from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

from training.chat.lexicon import read, vocabulary, words
from training.chat.noise import worn
from training.chat.phrases import expand

T = TypeVar("T")

DAYS, MONTHS = words("days", "names"), words("months", "names")
_SYLLABLES: dict[str, list[str]] = {part: told.split() for part, told in read("syllables").items()}
"""Onsets, vowels and codas, those that are common more than once."""


class Author:
    """A source of everything that varies."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def one(self, choices: Sequence[T]) -> T:
        """Return any of them."""
        return self.rng.choice(choices)

    def some(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """Return different ones, in any order."""
        return self.rng.sample(list(choices), min(self.rng.randint(least, most), len(choices)))

    def chance(self, probability: float) -> bool:
        """Return true so often."""
        return self.rng.random() < probability

    def number(self, least: int, most: int) -> int:
        """Return a number between two, both included."""
        return self.rng.randint(least, most)

    def say(self, *patterns: str, **slots: Any) -> str:
        """Return one of the phrases, filled in."""
        return expand(self.one(patterns), self.rng).format(**slots)

    def ask(self, *patterns: str, **slots: Any) -> str:
        """Return one of the phrases as people type it: what fills it in is left as it is."""
        return worn(expand(self.one(patterns), self.rng), self.rng).format(**slots)

    def series(self, items: Sequence[str]) -> str:
        """Return `a, b and c` or `a, b, c`."""
        return listed(items) if self.chance(0.5) else ", ".join(items)

    def made_up(self) -> str:
        """Return a word that is none."""
        return "".join(self._syllable() for _ in range(self.one((1, 1, 2, 2, 2, 3))))

    def _syllable(self) -> str:
        coda = self.one(_SYLLABLES["codas"]) if self.chance(0.5) else ""
        return self.one(_SYLLABLES["onsets"]) + self.one(_SYLLABLES["vowels"]) + coda

    def word(self) -> str:
        """Return a common word, sometimes one that is none."""
        return self.made_up() if self.chance(0.2) else self.one(vocabulary())

    def of(self, kind: str) -> str:
        """Return one of the words of a kind."""
        return self.one(words(kind))

    def of_table(self, kind: str) -> str:
        """Return one of the names of a kind."""
        return self.one(words(kind, "names"))

    def person(self) -> str:
        """Return a first name, sometimes an invented one."""
        if self.chance(0.15):
            return self.made_up().capitalize()
        return self.one(words("people", "names"))

    def full_name(self) -> str:
        """Return a first and a last name."""
        surname = self.made_up() if self.chance(0.2) else self.one(words("surnames", "names"))
        return f"{self.person()} {surname.capitalize()}"

    def city(self) -> str:
        """Return a city, now and then one that is none."""
        if self.chance(0.08):
            return self.made_up().capitalize()
        return self.one(words("cities", "names"))

    def code(self) -> str:
        """Return letters and digits, as tickets and orders have."""
        letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
        prefix = "".join(self.one(letters) for _ in range(self.number(1, 3)))
        digits = "".join(self.one("0123456789") for _ in range(self.number(2, 5)))
        return self.one((f"{prefix}-{digits}", f"{prefix}{digits}", digits))

    def email(self) -> str:
        """Return an address at an example host or at a made up one."""
        hosts = ("example.com", "mail.com", "example.org", "post.net", f"{self.made_up()}.com")
        ending = self.one(("", f".{self.made_up()}", str(self.number(1, 99))))
        return f"{self.person().lower()}{ending}@{self.one(hosts)}"

    def clock(self) -> str:
        """Return a time of day."""
        hour, half = self.number(1, 12), self.one(("am", "pm"))
        minute = self.one(("00", "15", "30", "45", f"{self.number(0, 59):02}"))
        long = f"{self.number(0, 23):02}:{minute}"
        short = f"{hour}:{minute}"
        return self.one((short, f"{hour} {half}", f"{short} {half}", long, f"{hour}{half}", "noon"))

    def day(self) -> str:
        """Return a day of the week."""
        return self.one(DAYS)

    def date(self) -> str:
        """Return a date in one of many forms."""
        day, month, year = self.number(1, 28), self.one(MONTHS), self.number(1900, 2035)
        return self.one(
            (
                f"{day} {month} {year}",
                f"{month} {day}, {year}",
                f"{month} {day}",
                f"{day} {month}",
                f"{year}-{self.number(1, 12):02}-{day:02}",
                f"the {ordinal(day)} of {month}",
                f"{month} {ordinal(day)}",
            )
        )


_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


def ordinal(number: int) -> str:
    """Return `1st` for 1, `2nd` for 2 and so on."""
    is_teen = 10 <= number % 100 <= 20
    return f"{number}{'th' if is_teen else _ORDINALS.get(number % 10, 'th')}"


def article(noun: str) -> str:
    """Return the noun with `a` or `an`."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def listed(items: Sequence[str], word: str = "and") -> str:
    """Return `a, b and c`."""
    return f" {word} ".join(filter(None, [", ".join(items[:-1]), items[-1]]))
