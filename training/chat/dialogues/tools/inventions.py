"""Parameters that nobody has thought of: of any name, so that names are read, not remembered."""

from training.chat.author import Author
from training.chat.dialogues.tools.parameters import Parameter, choice, flip, options
from training.chat.dialogues.values import DRAWS
from training.chat.lexicon import phrases, rows, vocabulary

_PHRASES = phrases("inventions")


def invented(author: Author) -> Parameter:
    """Return a parameter with a name of its own and a type that suits its phrases."""
    make = author.one(_MAKERS)
    noun = author.one(vocabulary()) if author.chance(0.75) else f"{author.made_up()}le"
    return make(author, noun)


def _filled(key: str, noun: str) -> tuple[str, ...]:
    return tuple(each.replace("[n]", noun) for each in _PHRASES[key])


def _either(key: str, noun: str) -> str:
    """Return one pattern for all phrases, as a flag has one for true and one for false."""
    return f"({'|'.join(_filled(key, noun))})"


def _asked(noun: str) -> tuple[str, ...]:
    return (f"(Which|What) {noun}?",)


def _text(_author: Author, noun: str) -> Parameter:
    says = _filled("plain", noun)
    return Parameter((noun,), "string", says, Author.word, _filled("text", noun), _asked(noun))


def _named(author: Author, noun: str) -> Parameter:
    name = f"{noun}_{author.one(_PHRASES['suffixes'])}"
    says = (*_filled("plain", name.replace("_", " ")), f"(Name of|Which) the {noun}")
    return Parameter((name,), "string", says, _proper, _filled("named", noun), _asked(noun))


def _proper(author: Author) -> str:
    """Return a name that something may have."""
    first, second = author.made_up().capitalize(), author.word().capitalize()
    quality, person = author.of("adjectives").capitalize(), author.person()
    word = author.word()
    return author.say(*_PHRASES["proper"], N=first, A=quality, M=second, p=person, w=word)


def _counted(author: Author, noun: str) -> Parameter:
    name = author.one((noun, f"{noun}_number", f"{noun}_count", f"number_of_{noun}s"))
    says = _filled("plain", name.replace("_", " "))
    return Parameter((name,), "integer", says, _count, _filled("counted", noun), _asked(noun))


def _count(author: Author) -> int:
    return author.number(0, 999)


def _measured(author: Author, _noun: str) -> Parameter:
    unit = author.one(_PHRASES["units"])
    kind = "integer" if author.chance(0.7) else "number"
    says, ask = _filled("measure_says", unit), (f"How many {unit}?",)
    return Parameter((unit,), kind, says, _measure, _filled("measured", unit), ask)


def _measure(author: Author) -> int:
    return author.number(2, 99) if author.chance(0.7) else author.number(100, 900)


def measures(author: Author) -> tuple[Parameter, ...]:
    """Return some measures, each in a unit of its own."""
    drawn = [_measured(author, "") for _ in range(author.number(2, 3))]
    return tuple({each.names: each for each in drawn}.values())


def _quality(author: Author, _noun: str) -> Parameter:
    quality = author.of("adjectives")
    name = author.one((quality, f"is_{quality}"))
    said = _either("quality_true", quality), _either("quality_false", quality)
    return Parameter((name,), "boolean", _filled("quality_says", quality), flip, said)


def _part(author: Author, noun: str) -> Parameter:
    name = author.one((noun, f"with_{noun}", f"include_{noun}"))
    said = _either("part_true", noun), _either("part_false", noun)
    return Parameter((name,), "boolean", _filled("part_says", noun), flip, said)


def _chosen(author: Author, noun: str) -> Parameter:
    others = options(author)
    ask = (f"Which {noun}: {{options}}?",)
    says, said = _filled("plain", noun), _filled("chosen", noun)
    return Parameter((noun,), "string", says, choice(others), said, ask, others)


_MAKERS = (
    *(_text, _named, _counted, _measured, _measured),
    *(_quality, _quality, _part, _chosen, _chosen, _chosen),
)
"""What makes a parameter; what stands twice does so twice as often."""

_PAIRS = rows("inventions", "pairs")
_PAIRED = ("city", "symbol", "color", "word", "first_name", "time", "day", "small", "number", "id")


def pair(author: Author) -> tuple[Parameter, Parameter]:
    """Return two parameters of one kind that only their names tell apart: from one, to another."""
    noun, kind = author.one(vocabulary()), author.one(_PAIRED)
    ending = author.one(("", f"_{noun}"))
    told = author.one(_PAIRS)
    first, second = (
        Parameter(
            (f"{name}{ending}",),
            "integer" if kind in ("small", "number") else "string",
            tuple(f"(The |){each} {noun}" for each in (name, says)),
            DRAWS[kind],
            (said,),
            (f"(Which|What) {says} {noun}?",),
        )
        for name, says, said in (told[:3], told[3:])
    )
    return first, second
