"""Wears questions down to how people type: no capitals, no full stop, a slip here and there.

Now and then a word is missing or another: what is asked should be told by the rest. `{slots}` stay
whole: what is to be copied must be there to copy.
"""

import re
from collections.abc import Callable
from random import Random

from training.chat.lexicon import vocabulary

_SLOT = re.compile(r"(\{[^}]*\})")

_BEFORE = (
    "hey, ",
    "hi, ",
    "ok, ",
    "okay, ",
    "so, ",
    "please ",
    "hello! ",
    "um, ",
    "well, ",
    "alright, ",
    "quick question: ",
    "one more thing: ",
    "now ",
    "and ",
    "thanks. ",
    "great. ",
    "cool, ",
    "I wonder: ",
    "tell me, ",
    "hey there, ",
    "right, ",
    "good. ",
    "next: ",
    "",
)
_BEHIND = (
    " please",
    ", please",
    " thanks",
    ", thank you",
    " for me",
    " now",
    " if you can",
    ", ok?",
    " please!",
    ", would you?",
    " - thanks!",
    " :)",
    "",
    "",
)


def worn(pattern: str, rng: Random) -> str:
    """Return the phrase as somebody in a hurry may type it."""
    text = pattern
    if rng.random() < 0.12:
        text = _opened(text, rng)
    if rng.random() < 0.06 and not text.rstrip().endswith("}"):
        text = text.rstrip(".?!") + rng.choice(_BEHIND) + text[len(text.rstrip(".?!")) :]
    if rng.random() < 0.15:
        text = _reworded(text, rng)
    if rng.random() < 0.22:
        text = _outside_slots(text, str.lower)
    if rng.random() < 0.25 and text[-1] in ".?!":
        text = text.rstrip(".?!")
    if rng.random() < 0.05:
        text = _outside_slots(text, lambda part: _slipped(part, rng))
    return text


def _opened(text: str, rng: Random) -> str:
    before = rng.choice(_BEFORE)
    if rng.random() < 0.6:
        before = before.capitalize()
    if len(text) > 1 and text[0].isupper() and text[1].islower():
        text = text[0].lower() + text[1:]
    return before + text


_WORD = re.compile(r"\{[^}]*\}|(?<![\w'])[a-z]+(?![\w'])")
_LEAST_WORDS = 5
"""What has fewer says nothing without one of them."""


def _reworded(text: str, rng: Random) -> str:
    """Return the text with one of its words left out or another in its place."""
    words = [found for found in _WORD.finditer(text) if found[0].isalpha()]
    if len(words) < _LEAST_WORDS:
        return text
    found = rng.choice(words)
    before, behind = text[: found.start()], text[found.end() :]
    if rng.random() < 0.5:
        return before.rstrip() + behind
    return before + rng.choice(vocabulary()) + behind


def _outside_slots(text: str, change: Callable[[str], str]) -> str:
    return "".join(part if part.startswith("{") else change(part) for part in _SLOT.split(text))


def _slipped(text: str, rng: Random) -> str:
    """Return the text with one letter lost, doubled or swapped."""
    places = [place for place in range(1, len(text) - 1) if text[place - 1 : place + 2].isalpha()]
    if not places:
        return text
    place = rng.choice(places)
    before, letter, behind = text[:place], text[place], text[place + 1 :]
    return rng.choice(
        (before + behind, before + letter * 2 + behind, before + behind[0] + letter + behind[1:])
    )
