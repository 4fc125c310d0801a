"""Greetings, thanks, moods and other things said by the way."""

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, read

_TALK = read("phrases/smalltalk")["talk"]
_OPENINGS, _CLOSINGS = _TALK[:4], _TALK[3:5]

_LIKES = phrases("smalltalk")["likes"]


def smalltalk(author: Author) -> tuple[Message, ...]:
    """Something said by the way, and a kind answer."""
    topic = author.one(_TALK)
    likes, city = author.one(_LIKES), author.city()
    slots = {
        "likes": likes,
        "Likes": likes.capitalize(),
        "city": city,
        "job": _job(author),
        "age": author.number(10, 90),
        "pet": author.one(
            ("dog", "cat", "rabbit", "hamster", "parrot", "horse", "puppy", "kitten")
        ),
        "name": author.person(),
        "food": author.of("foods"),
        "vegetable": author.of("vegetables"),
        "fruit": author.of("fruits"),
    }
    return exchange(author.ask(*topic["ask"], **slots), author.one(topic["say"]).format(**slots))


def greeting(author: Author) -> tuple[Message, ...]:
    """The beginning of a conversation, the commonest of all."""
    topic = author.one(_OPENINGS)
    return exchange(author.ask(*topic["ask"], city=author.city()), author.one(topic["say"]))


def parting(author: Author) -> tuple[Message, ...]:
    """Thanks or a goodbye."""
    topic = author.one(_CLOSINGS)
    return exchange(author.ask(*topic["ask"]), author.one(topic["say"]))


def _job(author: Author) -> str:
    job = author.of("jobs")
    return f"{'an' if job[0] in 'aeiou' else 'a'} {job}"
