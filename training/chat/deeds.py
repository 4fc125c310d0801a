"""What people do: sentences of a subject, a verb and an object, and questions about them."""

from dataclasses import dataclass
from functools import cache

from training.chat.author import Author
from training.chat.lexicon import phrases, read

_PHRASES = phrases("deeds")


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that somebody did or does."""

    subject: str
    verb: str
    """As it stands alone."""
    spoken: str
    """The verb as the sentence has it."""
    object: str
    place: str
    """Where or when, or nothing."""
    is_past: bool

    @property
    def told(self) -> str:
        """The deed behind its subject."""
        return " ".join(filter(None, (self.spoken, self.object, self.place)))

    @property
    def sentence(self) -> str:
        """The sentence, without its full stop."""
        return f"{self.subject} {self.told}"

    def asked(self, thing: str, place: str = "") -> str:
        """Return a question of yes or no about a thing."""
        auxiliary = "Did" if self.is_past else "Do" if self.subject in {"They", "We"} else "Does"
        subject = lowered(self.subject)
        return " ".join(filter(None, (auxiliary, subject, self.verb, thing, place))) + "?"


@cache
def _verbs(kind: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split()) for line in read("deeds")[kind].strip().splitlines())


def subject(author: Author) -> str:
    """Return somebody as a sentence begins with them."""
    kind = author.number(0, 5)
    if kind < 3:
        return author.person()
    if kind == 3:
        return f"The {author.of('jobs')}"
    if kind == 4:
        return f"My {author.one(_PHRASES['relatives'])}"
    return f"The {author.of('animals')}"


def thing(author: Author) -> str:
    """Return an object of a verb."""
    kinds = ("objects", "objects", "animals", "fruits", "foods", "vegetables")
    noun = author.of(author.one(kinds))
    form = author.number(0, 5)
    if form == 0:
        return f"{author.one(_PHRASES['amounts'])} {noun}s"
    if form == 1:
        return f"{noun}s"
    if form == 2:
        return f"the {author.of('adjectives')} {noun}"
    if form == 3:
        return f"a {author.of('adjectives')} {noun}"
    return f"{author.one(_PHRASES['determiners'])} {noun}"


def circumstance(author: Author) -> str:
    """Return where or when something happens."""
    return author.say(
        *_PHRASES["circumstance"],
        p=author.of("places"),
        d=author.day(),
        t=author.clock(),
        c=author.city(),
        n=author.person(),
    )


def draw_deed(
    author: Author,
    *,
    who: str | None = None,
    is_past: bool | None = None,
    place_chance: float = 0.5,
) -> Deed:
    """Return any deed, of somebody or of whom is told."""
    past = author.chance(0.6) if is_past is None else is_past
    stands_alone = author.chance(0.15)
    base, third, before = author.one(_verbs("alone" if stands_alone else "verbs"))
    place = circumstance(author) if author.chance(place_chance) or stands_alone else ""
    return Deed(
        who or subject(author),
        base,
        before if past else third,
        "" if stands_alone else thing(author),
        place,
        past,
    )


def lowered(sentence: str) -> str:
    """Return a sentence as it goes on behind another."""
    if sentence.split(maxsplit=1)[0] in {"The", "My", "It", "We", "She", "He", "They"}:
        return sentence[0].lower() + sentence[1:]
    return sentence
