"""Questions beyond a small model: it says that it does not know, and does not guess."""

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, read, words

_PHRASES = phrases("unknown")


_TOPICS = read("phrases/unknown")["topics"].strip().splitlines()


def unknown(author: Author) -> tuple[Message, ...]:
    """A question beyond what it knows."""
    thing = author.one(words("objects") + words("animals"))
    slots = {
        "year": author.number(1400, 2040),
        "place": author.city() if author.chance(0.7) else author.one(_PHRASES["regions"]),
        "thing": thing,
        "Thing": thing.capitalize(),
        "full": author.full_name(),
        "name": author.person(),
        "topic": author.one(_TOPICS),
        "made": author.made_up().capitalize() if author.chance(0.6) else author.made_up(),
        "big": author.number(1000, 99999),
        "big2": author.number(100, 9999),
    }
    return exchange(author.ask(*_PHRASES["asks"], **slots), author.one(_PHRASES["says"]))
