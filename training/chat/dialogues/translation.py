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


def translation(author: Author) -> tuple[Message, ...]:
    """A word from English or into it; a list of them now and then."""
    row = author.one(pairs())
    place = author.number(1, 3)
    language = LANGUAGES[place - 1]
    if author.chance(0.3):
        several = author.some([each for each in pairs() if " " not in each[0]], 2, 6)
        words = (
            ", ".join(each[0] for each in several[:-1])
            + author.one((" and ", ", "))
            + several[-1][0]
        )
        answers = ", ".join(f"{each[0]}: {each[place]}" for each in several)
        return exchange(
            author.ask(*_PHRASES["into"][:6], q=words, language=language), f"{answers}."
        )
    if author.chance(0.25):
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
