"""What Switchboard is and how one calls it, and who is answering."""

from training.chat.author import Author
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import read


def software(author: Author) -> tuple[Message, ...]:
    """A question about Switchboard."""
    return _answered(author, author.one(read("switchboard")["topics"]))


def oneself(author: Author) -> tuple[Message, ...]:
    """A question about the model itself."""
    return _answered(author, author.one(read("switchboard")["self"]))


def _answered(author: Author, topic: dict[str, list[str]]) -> tuple[Message, ...]:
    question = author.ask(*topic["ask"], x=author.of("animals"))
    # Answers hold JSON, so they are no patterns.
    return exchange(question, author.one(topic["say"]))
