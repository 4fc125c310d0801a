"""Tools that are asked for by the words of their names, whatever those are.

Nothing but what stands in a description tells which is meant, so descriptions have to be read.
"""

from collections.abc import Sequence

from training.chat.author import Author
from training.chat.dialogues.tools.catalogue import Blueprint, drawn_parameters
from training.chat.lexicon import phrases, vocabulary, words

_PHRASES = phrases("plain_tools")
_RESULTS = ("done", "done", "status", "number", "list", "text")


def plain(author: Author, others: Sequence[Blueprint] = ()) -> Blueprint:
    """Return a tool of any verb and any noun.

    Args:
        author: Draws the words.
        others: Tools that are offered beside it; it often has a word of one of them.
    """
    verb, noun = _verb(author), _noun(author)
    alike = [each.names[0].split("_") for each in others if each.names[0].count("_") == 1]
    if alike and author.chance(0.7):
        old_verb, old_noun = author.one(alike)
        verb, noun = author.one(((old_verb, noun), (verb, old_noun)))
    determiner = author.one(("the", "the", "my", "this", "our", "(the|my|this)"))
    required, optional = drawn_parameters(author)
    said = {"v": verb, "V": verb.capitalize(), "N": noun}
    return Blueprint(
        (f"{verb}_{noun}", f"{noun}_{verb}", f"{verb}{noun.capitalize()}", f"do_{verb}_{noun}"),
        tuple(each.format(n=f"(a|the) {noun}", **said) for each in _PHRASES["says"]),
        tuple(each.format(n=f"{determiner} {noun}", **said) for each in _PHRASES["asks"]),
        required,
        optional,
        author.one(_RESULTS),
        tuple(each.format(n=f"{determiner} {noun}", **said) for each in _PHRASES["wishes"]),
    )


def _verb(author: Author) -> str:
    return author.made_up() if author.chance(0.15) else author.one(words("verbs", "common"))


def _noun(author: Author) -> str:
    return author.made_up() if author.chance(0.2) else author.one(vocabulary())
