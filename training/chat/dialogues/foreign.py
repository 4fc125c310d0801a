"""Short exchanges in Spanish, French and German."""

from typing import Any

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.dialogues import facts
from training.chat.dialogues.personas import plain_prompt, typed
from training.chat.lexicon import phrases, read

_TABLE: dict[str, Any] = read("phrases/foreign")
_PHRASES = phrases("foreign")
LANGUAGES = ("Spanish", "French", "German")


def commanded(author: Author) -> tuple[Message, ...]:
    """Answers in the language of the system prompt, whatever the question is in."""
    language = author.one(LANGUAGES)
    system = typed(author, author.say(*_PHRASES["speak"], l=language))
    if author.chance(0.3):
        system = f"{plain_prompt(author)} {system}"
    turns = [Message("system", system)]
    for _ in range(author.number(1, 3)):
        turns += _exchange(author, language)
    return tuple(turns)


def asked(author: Author) -> tuple[Message, ...]:
    """A user who asks for a language in the middle of a conversation, or just writes in it."""
    if author.chance(0.5):
        greeting, answer = author.one(_TABLE["native"])
        return exchange(author.say(greeting), answer)
    language = author.one(LANGUAGES)
    question = author.ask(*_PHRASES["switch"], l=language)
    return (*exchange(question, _TABLE["switched"][language]), *_exchange(author, language))


def _exchange(author: Author, language: str) -> tuple[Message, ...]:
    place = LANGUAGES.index(language)
    kind = author.rng.random()
    if kind < 0.12:
        country, city, _ = author.one(facts.rows("capitals"))
        answer = _TABLE["capital"][language].format(c=city)
        return exchange(author.ask(*_PHRASES["ask_capital"], x=country), answer)
    if kind < 0.2:
        a, b = author.number(1, 30), author.number(1, 30)
        return exchange(author.ask(*_PHRASES["ask_sum"], a=a, b=b), f"{a} + {b} = {a + b}.")
    if kind < 0.32:
        colors = _TABLE["colors"]
        thing, color = author.one([row for row in facts.rows("colors") if row[1] in colors])
        answer = _TABLE["color"][language].format(c=colors[color][place])
        return exchange(author.ask(*_PHRASES["ask_color"], x=thing), answer)
    topic = author.one(_TABLE["exchanges"])
    return exchange(author.ask(*topic["ask"]), topic[language])
