"""Parameters that nobody has thought of: of any name, so that names are read, not remembered."""

from training.chat.author import Author
from training.chat.dialogues.tools.parameters import Parameter, flip
from training.chat.lexicon import phrases, vocabulary, words

_PHRASES = phrases("inventions")


def invented(author: Author) -> Parameter:
    """Return a parameter with a name of its own and a type that suits its phrases."""
    make = author.one(
        (_text, _named, _counted, _measured, _quality, _quality, _part, _chosen, _chosen)
    )
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
    kind = author.one(("colors", "adjectives", "animals", "places", "fruits", "sports"))
    options = tuple(author.some(words(kind), 2, 4))
    ask = (f"Which {noun}: {{options}}?",)

    def draw(author: Author) -> str:
        return author.one(options)

    says, said = _filled("plain", noun), _filled("chosen", noun)
    return Parameter((noun,), "string", says, draw, said, ask, options)
