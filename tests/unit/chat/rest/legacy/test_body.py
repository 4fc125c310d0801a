"""What is in the body of the older endpoint, and how each of its mistakes is named."""

import pytest

from services.chat.engine.conversation import Constraint, Continuation, Wishes
from services.chat.rest.generation import IGNORED
from services.chat.rest.legacy.body import CompletionBody
from tests.unit.chat.rest.refusals import missing, refusal, unsupported, wrong_type, wrong_value
from tests.unit.chat.rest.scripted import continuation


def test_a_bare_request_wants_sixteen_tokens():
    assert continuation() == Continuation(("Hello",), Wishes(max_tokens=16))


def test_null_is_the_same_as_nothing_in_every_optional_field():
    optional = [
        name for name in CompletionBody.__struct_fields__ if name not in {"model", "prompt"}
    ]

    assert continuation(**dict.fromkeys(optional)) == continuation()


def test_fields_of_the_hosted_service_are_ignored_whatever_they_hold():
    assert continuation(**{name: {"any": "thing"} for name in IGNORED}, suffix="") == continuation()


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
        (["a", [3]], ("a", (3,))),
    ],
)
def test_prompts_are_texts_or_token_ids(prompt, prompts):
    assert continuation(prompt=prompt).prompts == prompts


def test_every_wish_reaches_the_model():
    asked = continuation(
        max_tokens=0,
        echo=True,
        n=2,
        best_of=5,
        logprobs=3,
        stop="end",
        temperature=0.5,
        seed=7,
        logit_bias={"1": 2},
        regex="a+",
    )

    assert asked == Continuation(
        ("Hello",),
        Wishes(
            max_tokens=0,
            choices=2,
            top_logprobs=3,
            stops=("end",),
            temperature=0.5,
            seed=7,
            logit_bias={1: 2},
        ),
        best_of=5,
        echo=True,
        constraint=Constraint("regex", "a+", param="regex"),
    )


@pytest.mark.parametrize("stream", [False, True])
def test_the_best_of_as_many_as_are_told_are_all(stream):
    assert continuation(best_of=2, n=2, stream=stream).best_of is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"prompt": None}, missing("prompt")),
        *(
            (
                {"prompt": prompt},
                wrong_value("prompt", "expected at least one prompt, and none that is empty."),
            )
            for prompt in ("", [], ["a", ""], [[]], [[1], []])
        ),
        (
            {"prompt": [1, "a"]},
            wrong_value("prompt", "token ids stand among texts or lists; give one kind."),
        ),
        ({"prompt": {"a": 1}}, wrong_type("prompt", "a string or an array or null", "an object")),
        (
            {"prompt": ["a", True]},
            wrong_type("prompt[1]", "an integer or a string or an array", "a boolean"),
        ),
        ({"prompt": [[1, "a"]]}, wrong_type("prompt[0][1]", "an integer", "a string")),
        (
            {"max_tokens": 0},
            wrong_value("max_tokens", "expected an integer >= 1; 0 is only allowed with 'echo'."),
        ),
        ({"max_tokens": -1}, wrong_value("max_tokens", "expected an integer >= 0.")),
        ({"logprobs": 6}, wrong_value("logprobs", "expected an integer <= 5.")),
        ({"logprobs": True}, wrong_type("logprobs", "an integer or null", "a boolean")),
        ({"best_of": 21}, wrong_value("best_of", "expected an integer <= 20.")),
        ({"best_of": 2, "n": 3}, wrong_value("best_of", "2 is less than the 3 of 'n'.")),
        (
            {"best_of": 2, "stream": True},
            wrong_value(
                "best_of", "the best answers are known at the end: they cannot be streamed."
            ),
        ),
        (
            {"suffix": "the end"},
            unsupported("suffix", "models of this server do not fill in what is before a text."),
        ),
        ({"n": 200}, wrong_value("n", "200 should be between 1 and 128.")),
        (
            {"stream_options": {}},
            wrong_value("stream_options", "it is only allowed when 'stream' is true."),
        ),
    ],
)
def test_a_mistake_names_its_field_and_what_would_be_right(body, told):
    assert refusal(continuation, **body) == told
