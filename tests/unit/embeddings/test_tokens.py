"""Texts to ids with a tokenizer of one token a letter."""

import pytest

from services.embeddings.engine.request import Request
from services.embeddings.engine.tokens import Prompts, Tokens, read_tokenizer
from services.runtime.artifacts import ArtifactError
from services.runtime.errors import ContextLengthError, InvalidRequestError
from tests.models.encoder import CLS_ID, SEP_ID, VOCABULARY, tokenizer

PROMPTS = Prompts({"query": "q ", "passage": "pp "}, default_name=None)
WITH_DEFAULT = Prompts(PROMPTS.by_name, default_name="passage")


def ids_of(request, *, prompts=PROMPTS, max_tokens=16, special_tokens=True, lowercase=False):
    tokens = Tokens(
        tokenizer(special_tokens=special_tokens),
        max_tokens=max_tokens,
        prompts=prompts,
        lowercase=lowercase,
    )
    return tokens.ids_of(request)


def spelled(*letters):
    return [CLS_ID, *(VOCABULARY[letter] for letter in letters), SEP_ID]


def test_special_tokens_stand_around_a_text():
    ids = ids_of(Request(model="m", texts=["ab", "c"]))

    assert ids == [spelled("a", "##b"), spelled("c")]


def test_token_ids_are_taken_as_they_are():
    ids = ids_of(Request(model="m", token_ids=[[5, 6], [7]]))

    assert [list(sequence) for sequence in ids] == [[5, 6], [7]]


@pytest.mark.parametrize(
    ("prompts", "name", "letters"),
    [
        (PROMPTS, None, ["a"]),
        (PROMPTS, "query", ["q", "a"]),
        (WITH_DEFAULT, None, ["p", "##p", "a"]),
        (WITH_DEFAULT, "query", ["q", "a"]),
        (WITH_DEFAULT, "", ["p", "##p", "a"]),
    ],
)
def test_a_prompt_stands_before_the_text(prompts, name, letters):
    ids = ids_of(Request(model="m", texts=["a"], prompt_name=name), prompts=prompts)

    assert ids == [spelled(*letters)]


@pytest.mark.parametrize(
    ("prompts", "known"), [(PROMPTS, "'query', 'passage'"), (Prompts({}), "none")]
)
def test_an_unknown_prompt_hears_which_ones_there_are(prompts, known):
    with pytest.raises(InvalidRequestError, match=f"model: {known}") as refused:
        ids_of(Request(model="m", texts=["a"], prompt_name="poem"), prompts=prompts)

    assert refused.value.param == "prompt_name"


def test_texts_are_lowered_where_the_folder_says_so():
    ids = ids_of(Request(model="m", texts=["AB"]), lowercase=True)

    assert ids == [spelled("a", "##b")]


def test_a_text_of_exactly_the_limit_is_fine_and_one_more_token_is_not():
    fits = Request(model="m", texts=["a" * 14])
    too_long = Request(model="m", texts=["a", "a" * 15])

    ids = ids_of(fits, max_tokens=16)
    with pytest.raises(ContextLengthError) as refused:
        ids_of(too_long, max_tokens=16)

    assert len(ids[0]) == 16
    assert refused.value.param == "input[1]"
    assert "maximum context length is 16 tokens" in str(refused.value)
    assert "'input[1]' has 17 tokens" in str(refused.value)


def test_too_many_token_ids_are_refused_like_a_text():
    with pytest.raises(ContextLengthError, match="'input' has 17 tokens") as refused:
        ids_of(Request(model="m", token_ids=[[5] * 17], is_single=True), max_tokens=16)

    assert refused.value.param == "input"


def test_the_prompt_counts_against_the_limit():
    with pytest.raises(ContextLengthError, match="has 17 tokens"):
        ids_of(Request(model="m", texts=["a" * 14], prompt_name="query"), max_tokens=16)


@pytest.mark.parametrize("wrong", [-1, len(VOCABULARY), 2**40, -(2**63)])
def test_an_id_outside_the_vocabulary_is_named_by_its_place(wrong):
    with pytest.raises(InvalidRequestError) as refused:
        ids_of(Request(model="m", token_ids=[[5], [5, wrong]]))

    assert refused.value.param == "input[1][1]"
    assert f"{wrong} is no token id of the model (0 to {len(VOCABULARY) - 1})" in str(refused.value)


def test_a_text_without_tokens_is_refused():
    """Without special tokens white space is nothing, and the mean of nothing is not a number."""
    with pytest.raises(InvalidRequestError) as refused:
        ids_of(Request(model="m", texts=["a", " \n"]), special_tokens=False)

    assert refused.value.param == "input[1]"


def test_a_tokenizer_that_cuts_or_pads_does_neither_here(tmp_path):
    cutting = tokenizer()
    cutting.enable_truncation(4)
    cutting.enable_padding(length=8)
    cutting.save(str(tmp_path / "tokenizer.json"))

    tokens = Tokens(read_tokenizer(tmp_path / "tokenizer.json"), max_tokens=16, prompts=PROMPTS)
    ids = tokens.ids_of(Request(model="m", texts=["abcdef", "a"]))

    assert [len(sequence) for sequence in ids] == [8, 3]


def test_a_missing_and_a_broken_tokenizer_are_named(tmp_path):
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{}")

    with pytest.raises(ArtifactError, match=r"none\.json: there is no such file"):
        read_tokenizer(tmp_path / "none.json")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: cannot be read as a tokenizer"):
        read_tokenizer(broken)


def test_a_part_of_the_inputs_keeps_their_places():
    request = Request(model="m", texts=["a", "b", "c" * 40])
    tokens = Tokens(tokenizer(), max_tokens=16, prompts=PROMPTS)

    first = tokens.ids_of(request, range(2))
    with pytest.raises(ContextLengthError) as refused:
        tokens.ids_of(request, range(2, 3))

    assert first == [spelled("a"), spelled("b")]
    assert refused.value.param == "input[2]"


def test_a_text_of_absurd_length_is_refused_without_counting_its_tokens():
    with pytest.raises(ContextLengthError, match="has 2049 characters"):
        ids_of(Request(model="m", texts=[" " * 2049], is_single=True), max_tokens=16)


def test_ids_that_the_graph_does_not_know_are_refused_even_if_the_tokenizer_does():
    tokens = Tokens(tokenizer(), max_tokens=16, prompts=PROMPTS, vocabulary=10)

    with pytest.raises(InvalidRequestError, match="0 to 9"):
        tokens.ids_of(Request(model="m", token_ids=[[9, 10]]))
