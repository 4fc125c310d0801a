"""Questions about a short passage."""

from typing import Any

from training.chat.author import Author
from training.chat.deeds import circumstance, draw_deed, lowered, thing
from training.chat.dialogue import Message, exchange
from training.chat.dialogues.values import DRAWS
from training.chat.lexicon import phrases, read, words

_PHRASES = phrases("reading")
_FORMS = _PHRASES["forms"]
"""How a text `{t}` and a question `{q}` stand together."""
_OPEN_FORMS = _FORMS[:6]
"""Those of them that fit any question, not only one of yes or no."""
_CLAIMS: list[dict[str, Any]] = read("phrases/reading")["claims"]
"""What passages say of a person: `{p}` is the person, `{q}` a thing, `{v}` the value."""

Said = tuple[dict[str, Any], dict[str, str]]
"""A claim and what it is filled with."""

_VALUES: dict[str, str] = read("phrases/reading")["values"]


_DRAWS = {"person": "first_name", "number": "small"}


def _value(author: Author, kind: str) -> str:
    """Return what a claim of a kind may say."""
    if kind in _VALUES:
        return author.one(_VALUES[kind].split())
    name = _DRAWS.get(kind, kind)
    return str(DRAWS[name](author)) if name in DRAWS else author.of(f"{kind}s")


def _passage(author: Author) -> tuple[str, list[Said]]:
    """Return a text of a few sentences and what each says."""
    person = author.person()
    claims = author.some(_CLAIMS, 2, 5)
    things = author.some(words("objects"), len(claims), len(claims))
    said = [
        (claim, {"p": person, "q": thing, "v": _value(author, claim["kind"])})
        for claim, thing in zip(claims, things, strict=True)
    ]
    sentences = [author.say(claim["say"], **slots) for claim, slots in said]
    if author.chance(0.7):
        pronoun = author.one(("She", "He"))
        first = next(
            place
            for place, each in enumerate(sentences)
            if person in each or place == len(sentences) - 1
        )
        for place in range(first + 1, len(sentences)):
            if sentences[place].startswith(f"{person} ") and author.chance(0.6):
                sentences[place] = pronoun + sentences[place][len(person) :]
    return " ".join(sentences), said


def _truth(said: Said) -> str:
    claim, slots = said
    text: str = claim["truth"].format(**slots)
    return f"{text[0].upper()}{text[1:]}."


def yes_or_no(author: Author) -> tuple[Message, ...]:
    """A question with yes or no about a passage."""
    text, said = _passage(author)
    question, answer = _judged(author, author.one(said))
    turns: tuple[Message, ...] = exchange(author.ask(*_FORMS, t=text, q=question), answer)
    for _ in range(author.one((0, 0, 1, 2, 3))):
        claim, slots = author.one(said)
        question, answer = _judged(author, (claim, slots))
        if author.chance(0.4):
            question, answer = author.say(*claim["wonder"], **slots), _truth((claim, slots))
        turns += exchange(author.say(*_PHRASES["then"], q=question), answer)
    return turns


def _judged(author: Author, said: Said) -> tuple[str, str]:
    """Return a question with yes or no about a claim, and its answer."""
    claim, slots = said
    is_true = author.chance(0.5)
    asked = dict(slots)
    while not is_true and asked["v"] == slots["v"]:
        asked["v"] = _value(author, claim["kind"])
    answer = f"{'Yes' if is_true else 'No'}, {claim['truth'].format(**slots)}."
    return author.say(*claim["ask"], **asked), answer


def wondering(author: Author) -> tuple[Message, ...]:
    """A question about one detail of a passage; sometimes one that it does not tell."""
    text, said = _passage(author)
    if author.chance(0.15) and (untold := _untold(said)):
        question = author.say(*author.one(untold)["wonder"], **said[0][1])
        return exchange(author.ask(*_OPEN_FORMS, t=text, q=question), "The text does not say.")
    claim, slots = author.one(said)
    question = author.say(*claim["wonder"], **slots)
    return exchange(author.ask(*_OPEN_FORMS, t=text, q=question), _truth((claim, slots)))


def _untold(said: list[Said]) -> list[dict[str, Any]]:
    """Return claims of kinds that a passage has nothing of."""
    kinds = {claim["kind"] for claim, _ in said}
    return [
        each for each in _CLAIMS if each["kind"] not in kinds and "{q}" not in each["wonder"][0]
    ]


def deeds(author: Author) -> tuple[Message, ...]:
    """Questions about sentences that tell what somebody does, of any kind."""
    first = draw_deed(author)
    told = [first]
    for _ in range(author.number(0, 3)):
        who = first.subject if author.chance(0.5) else None
        told.append(draw_deed(author, who=who, is_past=first.is_past))
    sentences = [each.sentence for each in told]
    pronoun = author.one(("She", "He", "It"))
    for place in range(1, len(told)):
        if told[place].subject == told[place - 1].subject and author.chance(0.6):
            sentences[place] = f"{pronoun} {told[place].told}"
    asked = author.one([each for each in told if each.object or each.place])
    is_true = author.chance(0.5)
    what, where = asked.object, asked.place
    if not is_true and what and (author.chance(0.7) or not where):
        what = thing(author)
    elif not is_true:
        where = circumstance(author)
    is_true = (what, where) == (asked.object, asked.place)
    if where == asked.place and what and author.chance(0.5):
        where = ""
    question = asked.asked(what, where)
    return exchange(
        author.ask(*_FORMS, t=". ".join(sentences) + ".", q=question),
        f"{'Yes' if is_true else 'No'}, {lowered(asked.sentence)}.",
    )


def qualities(author: Author) -> tuple[Message, ...]:
    """Questions about how things are, with two things that are told apart."""
    nouns = author.some(words("objects") + words("animals") + words("foods"), 2, 3)
    kinds = author.one(("adjectives", "colors", "adjectives"))
    values = author.some(words(kinds), len(nouns), len(nouns))
    is_past = author.chance(0.5)
    verb = "was" if is_past else "is"
    pairs = list(zip(nouns, values, strict=True))
    sentences = [f"The {noun} {verb} {value}" for noun, value in pairs]
    text = (
        ". ".join(sentences) + "."
        if author.chance(0.6)
        else f"{sentences[0]}, {author.one(('but', 'and'))} {lowered(sentences[1])}."
    )
    noun, value = author.one(pairs[:2])
    if author.chance(0.3):
        question = author.say(*_PHRASES["which"], v=verb, x=value)
        return exchange(author.ask(*_OPEN_FORMS, t=text, q=question), f"The {noun} {verb} {value}.")
    asked = value if author.chance(0.5) else author.one(words(kinds))
    return exchange(
        author.ask(*_FORMS, t=text, q=f"{verb.capitalize()} the {noun} {asked}?"),
        f"{'Yes' if asked == value else 'No'}, the {noun} {verb} {value}.",
    )
