"""JSON for an object that is described in words."""

import json
from typing import Any

from training.chat.author import Author, listed
from training.chat.dialogue import Message, exchange
from training.chat.dialogues.values import DRAWS
from training.chat.lexicon import phrases, read, words

_PHRASES = phrases("objects")
_BY_VALUES, *_BY_PAIRS = _PHRASES["keyed"][:3]
_BY_KEYS = _PHRASES["keyed"][3:]
_THINGS: list[dict[str, Any]] = read("phrases/things")["things"]


def described(author: Author) -> tuple[Message, ...]:
    """A thing of a known kind; all of it, or the keys that are asked for."""
    value, text = _thing(author)
    if author.chance(0.3):
        kept = author.some(list(value), 1, len(value))
        sentence = f"{text[0].upper()}{text[1:]}."
        question = author.ask(*_BY_KEYS, k=listed(kept), d=sentence)
        return exchange(question, _json({key: value[key] for key in kept}))
    return exchange(author.ask(*_PHRASES["asks"], d=text), _json(value))


def _thing(author: Author) -> tuple[dict[str, Any], str]:
    """Return a thing and how it is described."""
    told = author.one(_THINGS)
    value = {key: _drawn(author, draw) for key, draw in told["fields"].items()}
    text = author.say(*told["say"], **{key: _shown(each) for key, each in value.items()})
    for each in told["more"]:
        if author.chance(0.45):
            value[each["key"]] = added = _drawn(author, each["draw"])
            text += author.say(each["otherwise"] if added is False else each["say"], v=added)
    return value, text


def listed_keys(author: Author) -> tuple[Message, ...]:
    """Keys and values, told one by one."""
    value = {_key(author): _scalar(author) for _ in range(author.number(1, 5))}
    if author.chance(0.3):
        shown = listed([_shown(each) for each in value.values()])
        return exchange(author.ask(_BY_VALUES, k=listed(list(value)), v=shown), _json(value))
    form = author.one(_PHRASES["forms"])
    pairs = [form.format(key, _shown(each)) for key, each in value.items()]
    told = listed(pairs) if author.chance(0.6) else ", ".join(pairs)
    return exchange(author.ask(*_BY_PAIRS, p=told), _json(value))


def lists(author: Author) -> tuple[Message, ...]:
    """A JSON list of things or of numbers, perhaps under a key."""
    kind = author.one(("fruits", "animals", "colors", "objects", "drinks", "jobs"))
    items = author.some(words(kind), 2, 5)
    form = author.rng.random()
    if form < 0.3:
        numbers = author.some(range(100), 2, 5)
        shown = listed(list(map(str, numbers)))
        return exchange(author.ask(*_PHRASES["numbers"], s=shown), _json(numbers))
    shown = listed(items) if author.chance(0.6) else ", ".join(items)
    if form < 0.5:
        question = author.ask(*_PHRASES["keyed_list"], k=kind, s=shown)
        return exchange(question, _json({kind: items}))
    return exchange(author.ask(*_PHRASES["list"], s=shown), _json(items))


def _key(author: Author) -> str:
    return author.one(_PHRASES["keys"]) if author.chance(0.5) else author.word()


_SCALARS = (
    "small",
    "number",
    "word",
    "first_name",
    "city",
    "color",
    "flag",
    "tenths",
    "word",
    "id",
)


def _scalar(author: Author) -> Any:
    return _drawn(author, author.one(_SCALARS))


def _drawn(author: Author, kind: str) -> Any:
    """Return a value; a text that reads as a number or a truth without quotes is drawn again."""
    while isinstance(value := DRAWS[kind](author), str) and _is_json(value):
        pass
    return value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return listed(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
