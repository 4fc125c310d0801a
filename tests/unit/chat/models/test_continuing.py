import pytest

from services.chat.engine.conversation import Continuation, Wishes
from services.chat.engine.request import Sampling
from services.chat.models.continuing import Continuing
from services.chat.models.prompting import Prompting
from services.chat.models.ranking import BestAnswers
from services.runtime.errors import ContextLengthError, InvalidRequestError
from tests.unit.chat.tokenizers_of_tests import byte_level

CONTEXT_TOKENS = 64
PROMPTING = Prompting(None, byte_level(), tags=None, call_format=None)


def read(*prompts, **fields):
    return Continuing.read(Continuation(prompts, **fields), PROMPTING, CONTEXT_TOKENS)


def requests(continuing, advised=None):
    return continuing.requests(advised or Sampling(), key="key", deadline_s=5.0, grammar=None)


def opening(continuing, choice):
    growth = continuing.new_writer(choice).take(choice)
    return growth and growth.events[0].text


def test_texts_become_tokens_and_tokens_stay():
    tokens = tuple(byte_level().encode("Once").ids)

    assert read("Once", (5, 6), "Once").prompts == (tokens, (5, 6), tokens)


def test_there_is_a_request_for_each_prompt_and_it_says_for_whom():
    asked = requests(read("a", "b", wishes=Wishes(choices=3, max_tokens=4, stops=("x",))))

    assert [request.choices for request in asked] == [3, 3]
    for request in asked:
        assert (request.key, request.deadline_s) == ("key", 5.0)
        assert (request.max_tokens, request.stops) == (4, ("x",))
        assert request.param == "prompt"
        assert request.sampling.top_logprobs is None
        assert request.prompt_logprobs is None


def test_what_the_makers_advise_counts_where_nothing_is_wished():
    (asked,) = requests(read("a", wishes=Wishes(top_k=3)), Sampling(temperature=0.5, top_k=9))

    assert (asked.sampling.temperature, asked.sampling.top_k) == (0.5, 3)


def test_more_answers_are_made_than_wanted_and_each_is_measured():
    continuing = read("a", wishes=Wishes(choices=2), best_of=5)
    (asked,) = requests(continuing)

    assert asked.choices == 5
    assert asked.sampling.top_logprobs == 0
    assert isinstance(continuing.ranked(object()), BestAnswers)


def test_answers_are_not_ranked_where_all_are_wanted():
    continuing = read("a", wishes=Wishes(choices=2), best_of=2)
    answers = object()

    assert continuing.ranked(answers) is answers


def test_a_prompt_is_measured_only_where_it_is_told():
    measured = Wishes(top_logprobs=2)

    assert requests(read("a", wishes=measured, echo=True))[0].prompt_logprobs == 2
    assert requests(read("a", wishes=measured))[0].prompt_logprobs is None
    assert requests(read("a", echo=True))[0].prompt_logprobs is None


def test_an_echo_begins_with_the_prompt_that_it_belongs_to():
    tokens = tuple(byte_level().encode("três").ids)
    continuing = read("one", tokens, wishes=Wishes(choices=2), echo=True)

    assert [opening(continuing, choice) for choice in range(4)] == ["one", "one", "três", "três"]
    assert opening(read("one"), 0) is None


def test_an_echo_of_half_a_character_is_a_mark_for_it():
    first, *others = byte_level().encode("散").ids
    assert others, "the character is more than one token"

    assert opening(read((first,), echo=True), 0) == "\ufffd"


def test_a_text_that_is_far_too_long_is_not_even_read():
    with pytest.raises(ContextLengthError) as refused:
        read("good", "a" * (CONTEXT_TOKENS * 128 + 1))

    assert refused.value.param == "prompt"


def test_a_prompt_without_tokens_is_refused():
    with pytest.raises(InvalidRequestError, match="no tokens"):
        requests(read(""))


def test_there_is_a_limit_to_all_answers_together():
    with pytest.raises(InvalidRequestError, match="2049 answers to 2049 prompts") as refused:
        Continuation(("a",) * 2049)
    with pytest.raises(InvalidRequestError, match="2176 answers"):
        Continuation(("a",) * 17, best_of=128)

    assert refused.value.param == "prompt"
    assert Continuation(("a",) * 2048).answers == 2048
