"""Lists of words and numbers: sorted, counted, picked from."""

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.dialogues.instructions import SINGULAR, members
from training.chat.lexicon import phrases, words

_PHRASES = phrases("instructions")
_PLACES = {"first": 0, "last": -1, "second": 1}


def numbers(author: Author) -> tuple[Message, ...]:
    """Numbers put in order, or the largest or smallest of them."""
    several = author.some(range(100), 3, 5)
    shown = author.one((", ", " ", ", ")).join(map(str, several))
    if author.chance(0.3):
        shown = f"{', '.join(map(str, several[:-1]))} and {several[-1]}"
    kind = author.one(("sort", "sort", "largest", "smallest"))
    question = author.ask(*_PHRASES[kind], s=shown)
    if kind == "sort":
        return exchange(question, ", ".join(map(str, sorted(several))))
    pick = max(several) if kind == "largest" else min(several)
    return exchange(question, f"The {kind} is {pick}.")


def items(author: Author) -> tuple[Message, ...]:
    """Words by the alphabet, their number, or one of them by its place."""
    kind = author.one(("animals", "fruits", "colors", "jobs", "objects"))
    several = author.some(words(kind), 3, 5)
    shown = ", ".join(several)
    if author.chance(0.25):
        return exchange(author.ask(*_PHRASES["alphabet"], s=shown), ", ".join(sorted(several)))
    if author.chance(0.33):
        question = author.ask(*_PHRASES["item_count"], s=shown)
        return exchange(question, f"There are {len(several)}.")
    place = author.one(tuple(_PLACES))
    question = author.ask(*_PHRASES["nth_item"], p=place, s=shown)
    return exchange(question, f"The {place} is {several[_PLACES[place]]}.")


def choice(author: Author) -> tuple[Message, ...]:
    """One of two, or the one that does not belong."""
    kind, other = author.some(tuple(SINGULAR), 2, 2)
    stranger = author.one([each for each in members(other) if each not in members(kind)])
    if author.chance(0.5):
        several = author.some([each for each in members(kind) if each != stranger], 3, 3)
        several.insert(author.number(0, 3), stranger)
        question = author.ask(*_PHRASES["odd_one"], s=", ".join(several))
        answer = f"{stranger.capitalize()}: it is {SINGULAR[other]}, the others are {kind}."
        return exchange(question, answer)
    wanted = author.one([each for each in members(kind) if each not in members(other)])
    a, b = author.some((wanted, stranger), 2, 2)
    question = author.ask(*_PHRASES["either"], k=SINGULAR[kind], a=a, b=b)
    return exchange(question, f"{wanted.capitalize()} is {SINGULAR[kind]}.")


def word_count(author: Author) -> tuple[Message, ...]:
    """How many words a text has, or which is its first or last."""
    several = [author.word() for _ in range(author.number(2, 8))]
    text = author.one(('"{}"', "{}", "'{}'")).format(" ".join(several))
    if author.chance(0.5):
        return exchange(author.ask(*_PHRASES["word_count"], q=text), f"{len(several)} words.")
    place = author.one(("first", "last"))
    question = author.ask(*_PHRASES["nth_word"], p=place, q=text)
    return exchange(question, several[_PLACES[place]])
