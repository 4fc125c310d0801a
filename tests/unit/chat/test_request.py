"""What a request may say."""

import pytest

from services.chat.engine.request import Request, Sampling
from services.runtime.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("field", "bad", "good"),
    [
        ("temperature", (-0.1, 2.1, float("nan")), (0, 2)),
        ("top_k", (-1,), (0, 50)),
        ("top_p", (-0.1, 1.1), (0, 1)),
        ("min_p", (-0.1, 1.1), (0, 1)),
        ("repetition_penalty", (0, -1), (0.5, 2)),
        ("frequency_penalty", (-2.1, 2.1), (-2, 2)),
        ("presence_penalty", (-2.1, 2.1), (-2, 2)),
        ("top_logprobs", (-1, 21), (0, 20, None)),
        ("logit_bias", ({5: 101}, {5: -101}, {-1: 0}), ({}, {5: 100, 6: -100})),
    ],
)
def test_each_field_of_sampling_has_its_range(field, bad, good):
    for value in bad:
        with pytest.raises(InvalidRequestError, match=field) as error:
            Sampling(**{field: value})
        assert error.value.param == field
    for value in good:
        Sampling(**{field: value})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ()}, "messages"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"prompt_logprobs": -1}, "logprobs"),
        ({"prompt_logprobs": 21}, "logprobs"),
        ({"stops": ("a", "")}, "stop"),
        ({"choices": 0}, "n"),
        ({"choices": 129}, "n"),
    ],
)
def test_each_field_of_a_request_has_its_range(fields, param):
    with pytest.raises(InvalidRequestError, match=param) as error:
        Request(**{"prompt": (1,), **fields})
    assert error.value.param == param


def test_the_seed_is_the_callers_or_a_fresh_one():
    assert Request((1,), Sampling(seed=0)).seed == 0
    assert Request((1,)).seed != Request((1,)).seed
