"""What tools answer, and what is said of it."""

import json
from collections.abc import Callable
from typing import Any

from training.chat.author import Author, listed
from training.chat.dialogues.tools.schemas import Filled
from training.chat.dialogues.values import DRAWS
from training.chat.lexicon import phrases

_PHRASES = phrases("results")

Result = tuple[Any, str]
"""What came back, as JSON or as plain text, and what the assistant says."""


def draw_result(author: Author, kind: str, filled: list[Filled]) -> tuple[str, str]:
    """Return what the tool answers and what the assistant says of it."""
    if author.chance(0.08):
        return _failure(author)
    place = next((str(each.value) for each in filled if _is_place(each)), "")
    value, said = _RESULTS[kind](author, place)
    return value if isinstance(value, str) else _json(value), said


def _is_place(filled: Filled) -> bool:
    return "city" in filled.argument.parameter.names


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _told(value: dict[str, Any]) -> str:
    """Return `the key is value, the other is value and …`."""
    return listed([f"the {key.replace('_', ' ')} is {each}" for key, each in value.items()])


def _sentence(value: dict[str, Any]) -> str:
    text = _told(value)
    return f"{text[0].upper()}{text[1:]}."


def _weather(author: Author, place: str) -> Result:
    degrees, condition = author.number(-15, 39), author.one(_PHRASES["conditions"])
    if author.chance(0.15):
        text = f"{degrees} degrees and {condition}"
        return text, f"In {place} it is {text}."
    value: dict[str, Any] = {
        author.one(_PHRASES["temperature_keys"]): degrees,
        author.one(_PHRASES["condition_keys"]): condition,
    }
    if author.chance(0.3):
        value["humidity"] = author.number(10, 99)
    if author.chance(0.2):
        value["wind"] = author.one((author.number(0, 80), "strong", "weak"))
    said = f"In {place}, {_told(value)}."
    return ({"city": place} | value if author.chance(0.3) else value), said


def _number(author: Author, _place: str) -> Result:
    hundredths = author.number(0, 9999) / 100
    number = author.one((author.number(0, 100), author.number(0, 9999), hundredths))
    if author.chance(0.2):
        return str(number), f"The result is {number}."
    value: dict[str, Any] = {author.one(_PHRASES["number_keys"]): number}
    if author.chance(0.3):
        value[author.one(("unit", "currency"))] = author.one(_PHRASES["units"])
    return value, _sentence(value)


_DETAILS = ("day", "small", "first_name", "color", "city", "time", "date", "word", "id")


def _status(author: Author, _place: str) -> Result:
    value: dict[str, Any] = {author.one(("status", "state")): author.one(_PHRASES["states"])}
    if author.chance(0.2):
        value = {}
    for key in author.some(_PHRASES["detail_keys"], 0 if value else 1, 3):
        value[key] = DRAWS[author.one(_DETAILS)](author)
    return value, _sentence(value)


def _list(author: Author, _place: str) -> Result:
    if author.chance(0.08):
        return author.one(({"results": []}, [], {"items": []})), "I found nothing."
    draw = DRAWS[author.one(("full_name", "headline", "city", "title", "first_name"))]
    items = list(dict.fromkeys(draw(author) for _ in range(author.number(1, 4))))
    value = items if author.chance(0.4) else {author.one(_PHRASES["list_keys"]): items}
    return value, f"I found {listed(items)}."


def _text(author: Author, _place: str) -> Result:
    slots = {"a": author.of("adjectives"), "n": author.word(), "p": author.person()}
    text = author.say(*_PHRASES["text"], c=author.city(), w=author.made_up(), **slots)
    value = text if author.chance(0.3) else {author.one(_PHRASES["text_keys"]): text}
    return value, f"It says: {text}."


def _time(author: Author, place: str) -> Result:
    time = author.clock()
    value = time if author.chance(0.2) else {author.one(("time", "local_time", "now")): time}
    return value, f"It is {time} in {place}."


def _done(author: Author, _place: str) -> Result:
    state, key, code = (
        author.one(_PHRASES["done_states"]),
        author.one(_PHRASES["done_keys"]),
        author.code(),
    )
    detail, value = author.one(_PHRASES["detail_keys"]), DRAWS[author.one(_DETAILS)](author)
    named = f"The {key.replace('_', ' ')} is {code}."
    return author.one(
        (
            (author.one(_PHRASES["done_plain"]), "Done."),
            (
                author.one(
                    ({"status": "ok", key: code}, {key: code}, {"success": True, key: code})
                ),
                f"Done. {named}",
            ),
            (author.one(({"status": state}, state)), f"Done: {state}."),
            ({"status": state, key: code}, f"Done: {state}. {named}"),
            ({"status": state, detail: value}, f"Done: {state}. The {detail} is {value}."),
        )
    )


_RESULTS: dict[str, Callable[[Author, str], Result]] = {
    "weather": _weather,
    "number": _number,
    "status": _status,
    "list": _list,
    "text": _text,
    "time": _time,
    "done": _done,
}


def _failure(author: Author) -> tuple[str, str]:
    reason = author.say(*_PHRASES["failure"], n=author.word())
    told: tuple[Any, ...] = (
        {"error": reason},
        {"status": "error", "message": reason},
        {"success": False, "error": reason},
    )
    content = f"Error: {reason}" if author.chance(0.25) else _json(author.one(told))
    return content, f"That did not work: {reason}."
