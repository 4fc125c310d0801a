from random import Random

import pytest

from training.chat.author import Author, article, listed, ordinal
from training.chat.noise import worn
from training.chat.phrases import expand


def test_a_pattern_stands_for_all_combinations_of_its_alternatives() -> None:
    rng = Random(1)
    found = {expand("(a|b(c|d))(|e)", rng) for _ in range(200)}
    assert found == {"a", "ae", "bc", "bce", "bd", "bde"}


def test_a_bracket_behind_a_backslash_is_text() -> None:
    assert expand(r"f\(x\) \| y", Random(1)) == "f(x) | y"


@pytest.mark.parametrize("pattern", ["(a", "a)", "a|b"])
def test_a_pattern_out_of_balance_is_a_mistake_of_ours(pattern: str) -> None:
    with pytest.raises(AssertionError):
        expand(pattern, Random(1))


def test_noise_leaves_slots_as_they_are() -> None:
    rng = Random(2)
    texts = [worn("Please Repeat {word} to me.", rng) for _ in range(500)]
    assert all("{word}" in text for text in texts)
    assert len(set(texts)) > 50


def test_an_author_draws_the_same_from_the_same_seed() -> None:
    def drawn() -> list[str]:
        author = Author(Random(3))
        return [author.full_name(), author.date(), author.code(), author.email(), author.made_up()]

    assert drawn() == drawn()


def test_numbers_and_nouns_get_their_endings_and_articles() -> None:
    assert [ordinal(each) for each in (1, 2, 3, 4, 11, 21)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "21st",
    ]
    assert article("owl") == "an owl"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"
