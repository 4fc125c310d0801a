"""Both doors of the embeddings service, with a tiny model behind them."""

import json
import math

import grpc
import numpy as np
import pytest
from switchboard.embeddings.v1 import embeddings_pb2 as wire

from tests.integration.harness import (
    REST,
    TYPED,
    openai_error,
    play,
    refusal,
    serving,
    tiny,
    trailers,
)
from tests.models.encoder import VOCABULARY, write_encoder

PROMPTS = {"query": "q "}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("tiny"), prompts=PROMPTS)


def ask(folder, scenario, **settings):
    """Play a scenario against a running service."""

    async def whole():
        async with serving([tiny(folder, aliases=("alias", "org/alias"))], **settings) as running:
            return await scenario(running)

    return play(whole)


def texts(*values):
    return {"texts": wire.TextInputs(values=values)}


def ids(*sequences):
    values = [wire.TokenSequence(ids=sequence) for sequence in sequences]
    return {"token_ids": wire.TokenInputs(values=values)}


FORMS = {
    "a text": ("abc", texts("abc")),
    "texts": (["abc", "d", "efgh ij"], texts("abc", "d", "efgh ij")),
    "token ids": ([2, 9, 8, 3], ids([2, 9, 8, 3])),
    "lists of token ids": ([[2, 9, 3], [5]], ids([2, 9, 3], [5])),
    "texts not in ASCII": (["日本 é", "😀"], texts("日本 é", "😀")),
    "more texts than a batch": (["abcdefgh"] * 200, texts(*["abcdefgh"] * 200)),
}
EXTRAS = {
    "nothing else": {},
    "dimensions": {"dimensions": 3},
    "an alias": {"model": "org/alias"},
}


@pytest.mark.parametrize("extra", EXTRAS.values(), ids=EXTRAS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_both_doors_give_the_same_vectors(folder, form, extra):
    raw, typed = form

    async def scenario(running):
        body = {"model": "tiny", "input": raw, **extra}
        as_numbers = await running.post(body)
        as_base64 = await running.post({**body, "encoding_format": "base64"})
        request = wire.CreateEmbeddingsRequest(**{"model": "tiny", **typed, **extra})
        return as_numbers, as_base64, await running.typed.CreateEmbeddings(request)

    as_numbers, as_base64, typed_answer = ask(folder, scenario)

    vectors = np.array([item.values for item in typed_answer.embeddings])
    np.testing.assert_allclose(as_numbers.vectors, vectors, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(as_numbers.vectors, as_base64.vectors)
    assert vectors.shape[1] == extra.get("dimensions", 8)
    assert as_numbers.body["usage"]["prompt_tokens"] == typed_answer.usage.prompt_tokens
    assert as_numbers.body["model"] == typed_answer.model == "tiny"


def test_prompts_change_vectors_at_both_doors_alike(folder):
    async def scenario(running):
        plain = await running.post({"model": "tiny", "input": "a"})
        rest = await running.post({"model": "tiny", "input": "a", "prompt_name": "query"})
        by_hand = await running.post({"model": "tiny", "input": "q a"})
        request = wire.CreateEmbeddingsRequest(model="tiny", prompt_name="query", **texts("a"))
        typed = await running.typed.CreateEmbeddings(request)
        return plain.vectors, rest.vectors, by_hand.vectors, np.array([typed.embeddings[0].values])

    plain, rest, by_hand, typed = ask(folder, scenario)

    assert np.abs(plain - rest).max() > 1e-3
    np.testing.assert_allclose(rest, by_hand, atol=1e-6)
    np.testing.assert_allclose(rest, typed, atol=1e-6)


def test_the_answer_has_the_shape_of_the_api(folder):
    async def scenario(running):
        return await running.post({"model": "alias", "input": ["ab", "c"]})

    answer = ask(folder, scenario)

    body = answer.body
    assert list(body) == ["object", "data", "model", "usage"]
    assert body["object"] == "list"
    assert [(item["object"], item["index"]) for item in body["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]
    assert body["model"] == "tiny"
    assert body["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert answer.parts[0].content_type == "application/json"


def test_a_large_answer_leaves_in_parts(folder):
    async def scenario(running):
        return await running.post({"model": "tiny", "input": ["abc"] * 2048})

    answer = ask(folder, scenario)

    assert len(answer.parts) > 1
    assert answer.vectors.shape == (2048, 8)
    assert np.ptp(answer.vectors, axis=0).max() < 1e-6


def test_a_vector_does_not_depend_on_who_else_asks(folder, seeded):
    inputs = ["".join(seeded.choices("abcdefgh", k=seeded.randint(1, 40))) for _ in range(60)]

    async def scenario(running):
        alone = [(await running.post({"model": "tiny", "input": text})).vectors for text in inputs]
        calls = [running.embed(text) for text in inputs]
        together = [np.array([(await call).embeddings[0].values]) for call in calls]
        return np.concatenate(alone), np.concatenate(together)

    alone, together = ask(folder, scenario)

    np.testing.assert_allclose(alone, together, atol=1e-6, rtol=0)


def test_every_answer_carries_the_request_id_the_time_and_the_usage(folder):
    async def scenario(running):
        answer = await running.post({"model": "alias", "input": "ab"}, x_request_id="req-7")
        call = running.embed("ab")
        await call
        return answer.metadata, dict(await call.trailing_metadata())

    rest, typed = ask(folder, scenario)

    assert rest["x-request-id"] == "req-7"
    assert len(typed["x-request-id"]) == 32
    for metadata in (rest, typed):
        assert metadata["openai-processing-ms"].isdigit()
        usage = json.loads(metadata["x-switchboard-usage"])
        assert usage == {"model": "tiny", "input_tokens": 4}


def test_only_many_vectors_in_base64_ask_the_gateway_not_to_compress(folder):
    async def scenario(running):
        body = {"model": "tiny", "input": ["a", "b"], "encoding_format": "base64"}
        return [
            (await running.post(asked)).initial.get("cache-control")
            for asked in (body, {**body, "encoding_format": "float"}, {**body, "input": "a"})
        ]

    assert ask(folder, scenario) == ["no-transform", None, None]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (b"{", None, None),
        (b"{}", "model", "missing_required_parameter"),
        (b'{"model": "tiny"}', "input", "missing_required_parameter"),
        ({"input": None}, "input", "invalid_type"),
        ({"input": {}}, "input", "invalid_type"),
        ({"input": [True]}, "input", "invalid_type"),
        ({"input": ["a", 1]}, "input[1]", "invalid_type"),
        ({"input": [[1], [2.5]]}, "input[1][0]", "invalid_type"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": ["a", ""]}, "input[1]", "invalid_value"),
        ({"input": [[2], [10**30]]}, "input[1][0]", "invalid_value"),
        ({"input": [len(VOCABULARY)]}, "input[0]", "invalid_value"),
        ({"input": "a" * 60}, "input", "context_length_exceeded"),
        ({"dimensions": 9}, "dimensions", "invalid_value"),
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"prompt_name": "no"}, "prompt_name", "invalid_value"),
        ({"input": [5], "prompt_name": "query"}, "prompt_name", "invalid_value"),
        ({"model": "none"}, "model", "model_not_found"),
        ({"model": "日本" * 5000}, "model", "model_not_found"),
    ],
)
def test_a_mistake_is_told_in_the_status_and_as_the_apis_object(folder, body, param, code):
    if isinstance(body, dict):
        body = {"model": "tiny", "input": "a", **body}

    async def scenario(running):
        return await refusal(running.post(body, x_request_id="req-8"))

    error = ask(folder, scenario)

    told = openai_error(error)
    not_found = code == "model_not_found"
    assert error.code() is grpc.StatusCode["NOT_FOUND" if not_found else "INVALID_ARGUMENT"]
    assert told == {
        "message": error.details(),
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }
    assert trailers(error)["x-request-id"] == "req-8"
    assert "retry-after" not in trailers(error)


def test_the_typed_door_tells_mistakes_in_the_same_words(folder):
    async def scenario(running):
        empty = wire.CreateEmbeddingsRequest(model="tiny")
        typed = await refusal(running.typed.CreateEmbeddings(empty))
        rest = await refusal(running.post({"model": "tiny", "input": []}))
        return openai_error(typed), openai_error(rest)

    typed, rest = ask(folder, scenario)

    assert typed == rest


def test_a_strict_call_refuses_what_others_ignore(folder):
    body = {"model": "tiny", "input": "a", "inptu": "b", "user": "u"}

    async def scenario(running):
        loose = await running.post(body)
        strict = await refusal(running.post(body, x_switchboard_strict="true"))
        known = await running.post(
            {"model": "tiny", "input": "a", "user": "u"}, x_switchboard_strict="true"
        )
        return loose, strict, known

    loose, strict, known = ask(folder, scenario)

    assert loose.vectors.shape == known.vectors.shape == (1, 8)
    assert openai_error(strict)["param"] == "inptu"
    assert openai_error(strict)["code"] == "unknown_parameter"


def test_a_browser_with_many_cookies_is_served(folder):
    async def scenario(running):
        return await running.post({"model": "tiny", "input": "a"}, cookie="c" * 40_000)

    assert ask(folder, scenario).vectors.shape == (1, 8)


def test_a_message_larger_than_the_limit_is_refused_and_the_service_goes_on(folder):
    async def scenario(running):
        error = await refusal(running.post({"model": "tiny", "input": "a" * 2**17}))
        return error, await running.post({"model": "tiny", "input": "a"})

    error, after = ask(folder, scenario, max_message_bytes=2**16)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert after.vectors.shape == (1, 8)


def test_both_doors_have_the_names_that_health_and_routes_use():
    services = wire.DESCRIPTOR.services_by_name

    assert services["EmbeddingsService"].full_name == TYPED
    assert services["EmbeddingsRest"].full_name == REST


def test_every_number_of_an_answer_is_finite(folder):
    async def scenario(running):
        return await running.post({"model": "tiny", "input": ["a", " ", "\x00", "\u200b"]})

    answer = ask(folder, scenario)

    assert all(math.isfinite(value) for value in answer.vectors.ravel())
