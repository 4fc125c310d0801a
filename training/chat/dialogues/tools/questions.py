"""Questions put together of a wish and its arguments."""

import re
from collections.abc import Mapping

from training.chat.author import Author
from training.chat.dialogues.tools.schemas import Filled, Tool
from training.chat.lexicon import phrases

_PHRASES = phrases("conversations")


def assembled(author: Author, tool: Tool, filled: list[Filled]) -> str:
    """Return a question: what is wanted, then its arguments in some order."""
    order = list(filled)
    if author.chance(0.5):
        author.rng.shuffle(order)
    # Free text ends a sentence, so it stands last.
    order.sort(key=lambda each: "message" in each.argument.parameter.names)
    wish, is_statement, order = _wished(author, tool, order)
    if order and author.chance(0.15) and order[0].said.split()[0] in _LEADING:
        first, *order = order
        said = first.said[0].upper() + first.said[1:]
        return _closed(author, f"{said}{author.one((':', ',', ',', ' -'))} {_lowered(wish)}", order)
    return _closed(author, wish, order, is_statement=is_statement)


def wished(author: Author, deed: str) -> str:
    """Return a question for what a tool does, told as its description tells it."""
    return _closed(author, deed, [])


def _wished(author: Author, tool: Tool, order: list[Filled]) -> tuple[str, bool, list[Filled]]:
    """Return what is wanted, whether it is a statement, and the arguments that it leaves out."""
    places = {each.names: place for place, each in enumerate(tool.blueprint.taken())}
    told = {
        f"[{places[each.argument.parameter.names]}]": each
        for each in order
        if each.argument.parameter.names in places
    }
    asks, wishes = tool.blueprint.asks, tool.blueprint.wishes
    able = [each for each in (*asks, *wishes) if _is_able(each, told, len(order))]
    pattern = author.one([each for each in able if "[" in each] or able)
    if author.chance(0.55):
        pattern = author.one(able)
    wish = author.say(pattern)
    held = {place: each for place, each in told.items() if place in wish}
    for place, each in held.items():
        wish = wish.replace(place, each.spoken)
    inside = list(held.values())
    is_statement = pattern in wishes or bool(_STATEMENT.match(wish))
    return wish, is_statement, [each for each in order if each not in inside]


def _is_able(pattern: str, told: Mapping[str, Filled], given: int) -> bool:
    """Whether a wish holds only what is given; nothing may follow free text in it."""
    held = [told.get(place) for place in _PLACE.findall(pattern)]
    if any(each is None or not each.spoken for each in held):
        return False
    is_free = any(each and _FREE & set(each.argument.parameter.names) for each in held)
    return not is_free or len(held) == given


_STATEMENT = re.compile(r"(I|We|My|Something|Somebody)\b")
_PLACE = re.compile(r"\[\d+\]")
_FREE = {"message", "query", "prompt"}


def _lowered(text: str) -> str:
    return text if re.match(r"I\b", text) else text[0].lower() + text[1:]


_LEADING = {"in", "for", "at", "on", "to", "by", "with", "of"}
_QUESTIONS = {
    "What",
    "How",
    "Is",
    "Which",
    "Where",
    "When",
    "Do",
    "Am",
    "Has",
    "Any",
    "Will",
    "Does",
    "Can",
    "What's",
    "Who",
    "Who's",
    "Where's",
    "When's",
    "How's",
    "Are",
    "Could",
    "Would",
    "Should",
    "Was",
    "Were",
    "Did",
    "Have",
    "Isn't",
    "Aren't",
    "Whose",
    "Why",
    "May",
    "Must",
    "Shall",
    "Got",
    "Anything",
    "Anyone",
    "Mind",
    "Wanna",
}


def _closed(author: Author, text: str, order: list[Filled], *, is_statement: bool = False) -> str:
    """Return the question with its arguments behind it, as an order or with its mark."""
    wish = text.rsplit(": ", maxsplit=1)[-1].rsplit(", ", maxsplit=1)[-1].capitalize()
    is_led = text.split(maxsplit=1)[0].lower() in _LEADING
    for each in order:
        text += each.said if each.said.startswith((":", ",")) else f" {each.said}"
    if wish.split()[0] in _QUESTIONS or text.split()[0] in _QUESTIONS:
        return author.ask(*_PHRASES["question"], t=text, q=_lowered(text))
    if is_led:
        return author.ask(*_PHRASES["led"], t=text)
    if is_statement:
        return author.ask(*_PHRASES["statement"], t=text, s=_lowered(text))
    is_free = any(_FREE & set(each.argument.parameter.names) for each in order)
    if is_free or author.chance(0.7):
        return author.ask(*_PHRASES["before"], a=_lowered(text), A=text)
    return author.ask(*_PHRASES["behind"], a=_lowered(text), A=text)
