"""Stop strings in a text that arrives in pieces."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chat.engine.text.stop_strings import StopStrings
from tests.unit.chat.properties import same_examples

letters = st.text(alphabet="ab", max_size=40)
stop_lists = st.lists(st.text(alphabet="ab", min_size=1, max_size=6), max_size=4)


def cut(text: str, stops: Sequence[str]) -> tuple[str, str | None]:
    """Return the text before the first stop string to be complete, and that; the slow way."""
    for end in range(len(text) + 1):
        whole = [stop for stop in stops if text[:end].endswith(stop)]
        if whole:
            stop = max(whole, key=len)
            return text[: end - len(stop)], stop
    return text, None


@same_examples
@given(pieces=st.lists(letters, max_size=6), stops=stop_lists)
def test_a_text_ends_before_its_first_stop_string_however_it_is_cut(
    pieces: list[str], stops: list[str]
) -> None:
    stop_strings = StopStrings(stops)

    shown = "".join(map(stop_strings.push, pieces)) + stop_strings.finish()

    assert (shown, stop_strings.found) == cut("".join(pieces), stops)


@same_examples
@given(text=letters, stops=stop_lists)
def test_no_letter_is_held_back_that_could_be_shown(text: str, stops: list[str]) -> None:
    stop_strings = StopStrings(stops)

    shown = stop_strings.push(text)

    if stop_strings.found is None:
        held = text[len(shown) :]
        assert not held or any(stop.startswith(held) for stop in stops)
        assert not any(
            stop.startswith(text[place:]) for place in range(len(shown)) for stop in stops
        )


def test_nothing_is_shown_behind_a_stop_string() -> None:
    stop_strings = StopStrings(["\n\n"])

    assert stop_strings.push("one\n\ntwo") == "one"
    assert stop_strings.push("three") == ""
    assert stop_strings.finish() == ""


def test_a_long_stop_string_costs_no_more_than_a_short_one() -> None:
    """A search that began anew at every letter would not end here."""
    stop_strings = StopStrings(["a" * 100_000 + "b"] * 4)

    shown = [stop_strings.push("a" * 50) for _ in range(4000)]

    assert sum(map(len, shown)) == 100_000


def test_an_empty_stop_string_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        StopStrings([""])
