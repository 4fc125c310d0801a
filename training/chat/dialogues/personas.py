"""System prompts that set a name or a style, and conversations that obey them."""

from collections.abc import Callable, Sequence

from training.chat.author import Author
from training.chat.dialogue import Message, Sketch, exchange
from training.chat.dialogues import facts
from training.chat.lexicon import phrases, rows, words

_PHRASES = phrases("personas")

Change = Callable[[str], str]
"""Makes an answer one in a style."""


def plain_prompt(author: Author) -> str:
    """Return a system prompt that changes nothing."""
    return author.say(*_PHRASES["plain"])


def typed(author: Author, system: str) -> str:
    """Return a system prompt as it may be typed."""
    if author.chance(0.15):
        return author.one((system.upper(), system.lower(), system.rstrip(".")))
    return system


def plain(author: Author, between: Sequence[Sketch]) -> tuple[Message, ...]:
    """A system prompt that changes nothing, and any exchange."""
    return (Message("system", plain_prompt(author)), *author.one(between)(author))


def named(author: Author, between: Sequence[Sketch]) -> tuple[Message, ...]:
    """A name that is not its own."""
    name = author.of_table("personas") if author.chance(0.5) else author.person()
    job = author.one([job for job in words("jobs") if job[0] not in "aeiou"])
    firm = author.made_up().capitalize()
    turns = [Message("system", author.say(*_PHRASES["named"], n=name, o=firm, j=job))]
    if author.chance(0.35):
        turns += author.one(between)(author)
    turns += exchange(author.ask(*_PHRASES["who"]), author.say(*_PHRASES["i_am"], n=name))
    if author.chance(0.3):
        turns += author.one(between)(author)
    return tuple(turns)


def styled(author: Author, between: Sequence[Sketch]) -> tuple[Message, ...]:
    """A way of speaking that every answer keeps to."""
    system, change = author.one(
        (_marked, _marked, _marked, _loud, _loud, _small, _pirate, _pirate, _addressed)
    )(author)
    if author.chance(0.35):
        extra = plain_prompt(author)
        system = f"{extra} {system}" if author.chance(0.7) else f"{_ended(system)} {extra}"
    turns = [Message("system", system)]
    for _ in range(author.one((1, 1, 1, 2, 2, 3))):
        for turn in author.one(between)(author):
            is_answer = turn.role == "assistant"
            turns.append(Message(turn.role, change(turn.content)) if is_answer else turn)
    return tuple(turns)


def _quoted(author: Author, text: str) -> str:
    return author.one(('"{}"', "'{}'", '"{}"', "{}")).format(text)


def _marked(author: Author) -> tuple[str, Change]:
    """Words before or behind every answer."""
    mark = author.say(*_PHRASES["mark"], w=author.word().capitalize())
    pattern, form = author.one(rows("personas", "marks"))
    return author.say(pattern, q=_quoted(author, mark)), lambda text: form.format(a=text, m=mark)


def _loud(author: Author) -> tuple[str, Change]:
    return typed(author, author.say(*_PHRASES["loud"])), str.upper


def _small(author: Author) -> tuple[str, Change]:
    return author.say(*_PHRASES["small"]), str.lower


def _pirate(author: Author) -> tuple[str, Change]:
    return author.say(*_PHRASES["pirate"]), lambda text: f"Ahoy, matey! {text} Arr!"


def _addressed(author: Author) -> tuple[str, Change]:
    """What to call the user."""
    title = author.one((*_PHRASES["titles"], author.person()))
    system = author.say(*_PHRASES["polite"], q=_quoted(author, title))
    return system, lambda text: f"{title[0].upper()}{title[1:]}, {_continued(text)}"


_OPENERS = frozenset(_PHRASES["openers"])
"""Words that lose their capital behind another."""


def _continued(text: str) -> str:
    return text[0].lower() + text[1:] if text.split(maxsplit=1)[0] in _OPENERS else text


def brief(author: Author) -> tuple[Message, ...]:
    """Answers of one word."""
    turns = [Message("system", typed(author, author.say(*_PHRASES["brief"])))]
    for _ in range(author.number(1, 3)):
        turns += author.one(_BRIEF)(author)
    return tuple(turns)


def _brief_capital(author: Author) -> tuple[Message, ...]:
    country, city, _ = author.one([row for row in facts.rows("capitals") if " " not in row[1]])
    return exchange(author.ask(*_PHRASES["capital"], x=country), city)


def _brief_opposite(author: Author) -> tuple[Message, ...]:
    word, other = author.one(facts.rows("opposites"))
    return exchange(author.ask(*_PHRASES["opposite"], x=word), other.capitalize())


def _brief_color(author: Author) -> tuple[Message, ...]:
    thing, color = author.one(facts.rows("colors"))
    return exchange(author.ask(*_PHRASES["color"], x=thing), color.capitalize())


def _brief_sum(author: Author) -> tuple[Message, ...]:
    a, b = author.number(1, 20), author.number(1, 20)
    return exchange(author.ask(*_PHRASES["sum"], a=a, b=b), str(a + b))


def _brief_animal(author: Author) -> tuple[Message, ...]:
    return exchange(author.ask(*_PHRASES["animal"], k="animal"), author.of("animals").capitalize())


def _brief_hello(author: Author) -> tuple[Message, ...]:
    return exchange(author.ask(*_PHRASES["hello"]), "Hello!")


_BRIEF = (_brief_capital, _brief_opposite, _brief_color, _brief_sum, _brief_animal, _brief_hello)


def _ended(text: str) -> str:
    return text if text[-1] in ".!?" else f"{text}."
