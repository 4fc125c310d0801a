"""Short stories about a hero: who, a wish or a trouble, what was done about it, an end."""

from training.chat.author import Author, article
from training.chat.dialogue import Message, exchange
from training.chat.lexicon import phrases, rows, words

_PHRASES = phrases("stories")
_LONGINGS = ("wanted", "wished", "dreamed")


def story(author: Author) -> tuple[Message, ...]:
    """A story about the hero that is asked for, by name, by kind or both."""
    kind = _kind(author)
    full = article(f"{author.one(_PHRASES['traits'])} {kind}" if author.chance(0.6) else kind)
    if author.chance(0.6):
        name = author.person() if author.chance(0.6) else author.of_table("pets")
        asked, told = author.one(rows("stories", "heroes"))
        hero = author.say(asked, f=full, n=name, k=kind)
        first, subject = told.format(f=full, n=name, k=article(kind)), name
    else:
        hero = full if author.chance(0.7) else f"the {full.split(' ', 1)[1]}"
        first, subject = full, f"the {kind}"
    return exchange(author.ask(*_PHRASES["asks"], h=hero), _told(author, first, subject))


def _kind(author: Author) -> str:
    if author.chance(0.85):
        return author.one(_PHRASES["kinds"])
    return author.one(words("animals") + words("jobs"))


def _told(author: Author, first: str, subject: str) -> str:
    """Return the story.

    Args:
        author: Draws what happens.
        first: The hero as they come in: `an old owl called Ida`.
        subject: The hero from then on.
    """
    he, his, him = author.one((("he", "his", "him"), ("she", "her", "her")))
    wish, deed, success = author.one(rows("stories", "wishes"))
    parts = [
        f"Once upon a time there was {first} who lived {author.one(_PHRASES['homes'])}.",
        _wished(author, wish),
        *_tried(author, deed),
        f"{success}.",
        author.one(_PHRASES["ends"]),
    ]
    slots = {"he": he, "his": his, "him": him, "n": subject}
    slots |= {"N": subject[0].upper() + subject[1:], "thing": author.one(_PHRASES["things"])}
    return " ".join(parts).format(place=author.one(_PHRASES["places"]), **slots)


def _wished(author: Author, wish: str) -> str:
    if author.chance(0.5):
        return f"{{N}} {wish}."
    if wish.startswith(_LONGINGS):
        return f"More than anything, {{n}} {wish}."
    is_state = wish.startswith(("was afraid", "could not", "had never"))
    return f"{{N}} {wish}." if is_state else f"One day {{n}} {wish}."


def _tried(author: Author, deed: str) -> list[str]:
    """Return what the hero did, with a helper, and how hard it was."""
    helper, fear = author.one(_PHRASES["helpers"]), author.one(_PHRASES["fears"])
    advice = f'said: "{author.one(_PHRASES["advice"])}."'
    if author.chance(0.5):
        return [f"So {{he}} {deed}.", f"{fear}.", f"Then {helper} came by and {advice}"]
    tried = [f"{{N}} asked {helper}, who {advice}", f"So {{he}} {deed}."]
    return [*tried, f"{fear}, but {{n}} went on."] if author.chance(0.5) else tried
