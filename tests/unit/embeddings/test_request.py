"""What can be checked without the model."""

import pytest

from services.embeddings.engine.request import MAX_INPUTS, Request
from services.runtime.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"model": "", "texts": ["a"]}, "model", "Missing required parameter: 'model'"),
        ({}, "input", "send at least one text"),
        ({"texts": ["a", "", "b"]}, "input[1]", "'input[1]' is empty"),
        ({"texts": [""], "is_single": True}, "input", "'input' is empty"),
        ({"token_ids": [[1], []]}, "input[1]", "'input[1]' is empty"),
        ({"texts": ["a"] * (MAX_INPUTS + 1)}, "input", "2049 inputs; the most"),
        ({"texts": ["a"], "dimensions": 0}, "dimensions", "0 is less than 1"),
        ({"texts": ["a"], "dimensions": -5}, "dimensions", "-5 is less than 1"),
        ({"token_ids": [[1]], "prompt_name": "query"}, "prompt_name", "works with texts only"),
    ],
)
def test_a_wrong_field_is_named(fields, param, told):
    with pytest.raises(InvalidRequestError) as refused:
        Request(**{"model": "m", **fields})

    assert refused.value.param == param
    assert told in str(refused.value)


def test_as_many_inputs_as_the_api_allows_are_fine():
    request = Request(model="m", texts=["a"] * MAX_INPUTS)

    assert len(request.texts) == 2048


def test_a_message_names_an_input_as_the_caller_wrote_it():
    listed = Request(model="m", texts=["a", "b"])
    bare = Request(model="m", texts=["a"], is_single=True)

    assert listed.place(1) == "input[1]"
    assert bare.place(0) == "input"


@pytest.mark.parametrize("size", [1, 3, 5, 100])
def test_parts_hold_every_input_once_and_little_more_than_the_size(size):
    texts = ["aaa", "b", "cc", "dddddd", "e"]
    request = Request(model="m", texts=texts)

    parts = list(request.parts(size))

    assert [index for part in parts for index in part] == list(range(5))
    for part in parts:
        held = sum(len(texts[index]) for index in part)
        assert held <= size or len(part) == 1
