"""Plain orders: list, give an example, repeat, replace."""

from collections.abc import Callable

from training.chat.author import Author, listed
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, read, rows, words

_PHRASES = phrases("instructions")
_PLURAL: dict[str, str] = read("phrases/kinds")["plural"]
SINGULAR: dict[str, str] = read("phrases/kinds")["singular"]
"""Kinds with their article: `an animal`."""
_NUMBERS = _PHRASES["numbers"]


def members(kind: str) -> tuple[str, ...]:
    """Return the words of a kind."""
    return words(kind, "names" if kind in {"cities", "people", "days"} else "words")


def list_of(author: Author) -> tuple[Message, ...]:
    """So many things of a kind, on one line or on several."""
    kind = author.one(tuple(_PLURAL))
    number = author.number(1 if author.chance(0.15) else 2, 6)
    # Those that follow one another in their table, so that nothing is named twice.
    first = author.number(0, len(members(kind)) - number)
    items = members(kind)[first : first + number]
    shown = author.one((str(number), _NUMBERS[number], _NUMBERS[number]))
    pattern = author.one(_PHRASES["lists"]).replace("{kind}", _PLURAL[kind])
    if author.chance(0.65):
        answer = f"{listed(items)}."
        return exchange(author.ask(pattern, n=shown), answer[0].upper() + answer[1:])
    style, answer = author.one(
        (
            ("numbered", "\n".join(f"{place}. {item}" for place, item in enumerate(items, 1))),
            ("dashed", "\n".join(f"- {item}" for item in items)),
            ("with_commas", ", ".join(items)),
        )
    )
    wish = author.say(pattern, n=shown).rstrip(".?")
    return exchange(author.ask("{w}{s}", w=wish, s=author.one(_PHRASES[style])), answer)


def example(author: Author) -> tuple[Message, ...]:
    """One thing of a kind, or whether a thing is of a kind."""
    kind = author.one(tuple(SINGULAR))
    if author.chance(0.4):
        question = author.ask(*_PHRASES["example"], k=SINGULAR[kind].split(" ", 1)[1])
        return exchange(question, f"{author.one(members(kind)).capitalize()}.")
    actual = kind if author.chance(0.5) else author.one(tuple(SINGULAR))
    thing = author.one(members(actual))
    home = kind if thing in members(kind) else actual
    question = author.ask(*_PHRASES["belongs"], t=thing, k=SINGULAR[kind].split(" ", 1)[1])
    yes, no = ("True:", "False:") if "true or" in question.lower() else ("Yes,", "No,")
    return exchange(question, f"{yes if home == kind else no} {thing} is {SINGULAR[home]}.")


def _sentence(author: Author) -> str:
    """Return words in an order that a sentence may have."""
    if author.chance(0.3):
        mark = author.one((" ", " ", ", "))
        return mark.join(author.word() for _ in range(author.number(1, 6)))
    slots = {"a": author.of("adjectives"), "b": author.of("adjectives"), "v": author.of("verbs")}
    slots |= {"n": author.word(), "m": author.word(), "p": author.person(), "q": author.person()}
    slots |= {"c": author.city(), "t": author.clock(), "d": author.day()}
    return author.say(*_PHRASES["sentence"], **slots)


def repetition(author: Author) -> tuple[Message, ...]:
    """A text said again, once or so many times."""
    quote = author.one(('"{}"', "{}", "'{}'", '"{}"'))
    if author.chance(0.2):
        times, word = author.number(2, 5), author.word()
        shown = author.one((str(times), _NUMBERS[times]))
        question = author.ask(*_PHRASES["repeat_times"], q=quote.format(word), n=shown)
        return exchange(question, " ".join([word] * times))
    text = _sentence(author)
    if author.chance(0.5):
        text = text[0].upper() + text[1:] + author.one((".", "", "!"))
    return exchange(author.ask(*_PHRASES["repeat"], q=quote.format(text)), text)


def copying(author: Author) -> tuple[Message, ...]:
    """Names, words and numbers, written down as they are."""
    kinds: list[Callable[[], str]] = [author.word, author.made_up, author.full_name, author.city]
    kinds += [author.code, author.email, author.date, author.clock]
    kinds += [lambda: str(author.number(0, 999))]
    several = author.some(kinds, 1, 3)
    items = [author.one(several)() for _ in range(author.number(3, 9))]
    mark = author.one((", ", ", ", "; ", " ", "\n"))
    return exchange(author.ask(*_PHRASES["copy"], q=mark.join(items)), mark.join(items))


def replacement(author: Author) -> tuple[Message, ...]:
    """A word put in the place of another."""
    quality, other = author.some(words("adjectives"), 2, 2)
    thing = author.one(words("animals") + words("objects"))
    is_thing = author.chance(0.5)
    old = thing if is_thing else quality
    new = author.of("animals") if is_thing else author.of("adjectives")
    form = f"The {{}} {{}} {author.one(('is', 'was'))} {other}."
    question = author.ask(*_PHRASES["replace"], o=old, w=new, t=form.format(quality, thing))
    return exchange(question, form.format(*((quality, new) if is_thing else (new, thing))))


def joining(author: Author) -> tuple[Message, ...]:
    """Words with a mark between them."""
    several = author.some(words("objects"), 2, 4)
    mark, name = author.one(rows("instructions", "marks"))
    shown = author.series(several)
    question = author.ask(*_PHRASES["joined"], s=shown, m=author.say(name))
    return exchange(question, mark.join(several))
