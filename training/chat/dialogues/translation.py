"""Common words and phrases in Spanish, French and German, and back."""

from functools import cache

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, read

_PHRASES = phrases("translation")


LANGUAGES = ("Spanish", "French", "German")

_PEOPLE = {
    "Spanish": "(people in Spain|Spaniards|Spanish people)",
    "French": "(people in France|the French|French people)",
    "German": "(people in Germany|Germans|German people)",
}


@cache
def pairs() -> tuple[tuple[str, ...], ...]:
    """Return every word as (English, Spanish, French, German)."""
    table = read("translations")
    words = [tuple(line.split()) for line in table["words"].strip().splitlines()]
    return (*words, *(tuple(line.split("|")) for line in table["phrases"].strip().splitlines()))


def _several(author: Author, place: int, language: str) -> tuple[Message, ...]:
    """Some words at once, into a language or back."""
    rows = author.some([each for each in pairs() if " " not in each[0]], 2, 6)
    is_back = author.chance(0.4)
    source, target = (place, 0) if is_back else (0, place)
    words = [each[source] for each in rows]
    shown = author.series(words)
    patterns = _PHRASES["back_each"] if is_back else _PHRASES["into"][:6]
    answers = ", ".join(f"{each[source]}: {each[target]}" for each in rows)
    return exchange(author.ask(*patterns, q=shown, language=language), f"{answers}.")


def translation(author: Author) -> tuple[Message, ...]:
    """A word from English or into it; a list of them now and then."""
    row = author.one(pairs())
    place = author.number(1, 3)
    language = LANGUAGES[place - 1]
    if author.chance(0.3):
        return _several(author, place, language)
    if author.chance(0.3):
        quoted = author.one(("{}", '"{}"', "'{}'")).format(row[place])
        return exchange(
            author.ask(*_PHRASES["back"], q=quoted, language=language),
            f'"{row[place]}" means "{row[0]}" in English.',
        )
    quoted = author.one(("{}", '"{}"', "'{}'", "{}")).format(row[0])
    patterns = tuple(each.replace("{people}", _PEOPLE[language]) for each in _PHRASES["into"])
    return exchange(
        author.ask(*patterns, q=quoted, language=language),
        f'"{row[0]}" in {language} is "{row[place]}".',
    )
