"""Half characters, stop strings and log probabilities, through the whole chat service.

A choice of one text makes the model write it, in as many tokens as it takes it.
"""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.integration.chat_harness import hosting, tiny
from tests.models.chat_folder import SHAPE, chat_tokenizer, write_chat_model

TEXT = "a👩\u200d🚀b🚀é 日本\u0301c🏳\ufe0f\u200d🌈 naïve"
NEVER = range(65, 80)
"""Tokens that a model finds impossible."""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    models = [
        tiny(write_chat_model(folder / "tiny")),
        tiny(forbid(write_chat_model(folder / "certain"), NEVER), "certain"),
    ]
    with hosting(models) as hosted:
        yield hosted


def forbid(folder, tokens):
    """Have a model give some tokens a logit of minus infinity."""
    path = str(folder / "onnx/model.onnx")
    model = onnx.load(path)
    bias = np.zeros(SHAPE.vocabulary, np.float32)
    bias[list(tokens)] = -np.inf
    (head,) = (node for node in model.graph.node if "logits" in node.output)
    head.output[0] = "finite_logits"
    model.graph.initializer.append(numpy_helper.from_array(bias, "bias"))
    model.graph.node.append(helper.make_node("Add", ["finite_logits", "bias"], ["logits"]))
    onnx.save(model, path)
    return folder


def both(service, **fields):
    """Return an answer that was told at once, and its texts; a stream has to tell the same."""

    async def scenario(running):
        whole = await running.post(**fields)
        stream = await running.post(**fields, stream=True, stream_options={"include_usage": True})
        return whole, stream

    whole, stream = service.play(scenario)
    assert stream.texts == whole.texts
    told, usage = whole.json, stream.events[-1]["usage"]
    assert usage["completion_tokens"] == told["usage"]["completion_tokens"]
    return told, whole.text


@pytest.mark.parametrize("stop", sorted({*TEXT, "👩\u200d🚀", "🚀b", "日本", "naïve", "e🚀", "zz"}))
def test_a_text_ends_before_its_stop_string(service, stop):
    told, text = both(service, choice=[TEXT], stop=stop, max_tokens=200)

    assert text == TEXT.partition(stop)[0]
    assert told["choices"][0]["finish_reason"] == "stop"


def test_the_first_of_several_stop_strings_counts(service):
    _, text = both(service, choice=[TEXT], stop=["naïve", "🌈", "本", "\0"], max_tokens=200)

    assert text == TEXT.partition("本")[0]


@pytest.mark.parametrize("stop", [None, "🌈", "🚀b"])
def test_a_text_that_is_cut_anywhere_is_a_beginning_of_it(service, stop):
    stops = {} if stop is None else {"stop": stop}
    finishes = []
    for most in range(1, 45):
        told, text = both(service, choice=[TEXT], max_tokens=most, **stops)
        certain = text.rstrip("\ufffd")
        assert TEXT.startswith(certain)
        assert stop is None or stop not in text
        assert len(text) - len(certain) <= 1, "half a character is told as one"
        finishes.append(told["choices"][0]["finish_reason"])

    assert set(finishes) == {"length", "stop"}
    assert finishes == sorted(finishes), "it ends by itself as soon as there is room"


def test_the_bytes_of_log_probabilities_are_those_of_the_text(service):
    told, text = both(service, choice=[TEXT], max_tokens=200, logprobs=True, top_logprobs=20)

    tokens = told["choices"][0]["logprobs"]["content"]
    assert b"".join(bytes(token["bytes"]) for token in tokens).decode() == text == TEXT
    assert any("\ufffd" in token["token"] for token in tokens)
    assert all(len(token["top_logprobs"]) == 20 for token in tokens)
    assert all(-9999 <= token["logprob"] <= 0 for token in tokens)


def test_the_older_form_says_where_tokens_begin_in_the_text(service):
    told, text = both(
        service, path="completions", prompt=TEXT, echo=True, choice=[TEXT], max_tokens=200,
        logprobs=5,
    )  # fmt: skip

    logprobs = told["choices"][0]["logprobs"]
    assert text == TEXT * 2
    assert logprobs["token_logprobs"][0] is None
    assert logprobs["top_logprobs"][0] is None
    for token, offset in zip(logprobs["tokens"], logprobs["text_offset"], strict=True):
        if "\ufffd" not in token:
            assert text[offset:].startswith(token)


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_model_finds_impossible_is_told_as_a_number(service, stream):
    impossible = "".join(chat_tokenizer().id_to_token(token) for token in NEVER)

    async def scenario(running):
        return await running.post(
            model="certain", path="completions", prompt=f"A{impossible}", echo=True,
            max_tokens=3, logprobs=5, stream=stream,
        )  # fmt: skip

    told = service.play(scenario)

    assert b"Infinity" not in told.body
    assert b"NaN" not in told.body
    assert b"-9999.0" in told.body
    assert told.events if stream else told.json


def test_an_answer_that_has_to_be_impossible_fails_and_no_other_one(service):
    async def scenario(running):
        refused = await running.refusal(model="certain", choice=["abc"])
        return refused, await running.post(model="certain", choice=["ABC"])

    refused, other = service.play(scenario)

    assert (refused["status"], refused["type"]) == ("INTERNAL", "server_error")
    assert other.text == "ABC"


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 1e-30},
        {"temperature": 1.1e-5},
        {"top_p": 0},
        {"top_p": 1e-30},
        {"min_p": 1},
        {"top_k": 1},
    ],
)
def test_all_ways_to_take_the_likeliest_token_agree(service, fields):
    _, text = both(service, max_tokens=30, **fields)
    _, likeliest = both(service, max_tokens=30, temperature=0)

    assert text == likeliest


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 2, "top_k": 2**31},
        {"repetition_penalty": 0.01},
        {"repetition_penalty": 100, "frequency_penalty": -2, "presence_penalty": -2},
        {"logit_bias": {str(token): -100 for token in range(420)}},
        {"logit_bias": {"5": 1, "05": 2, "0000000005": 3}},
        {"seed": -(2**63)},
        {"seed": 2**63 - 1},
        {"max_tokens": 10**30},
    ],
)
def test_the_ends_of_all_ranges_are_served(service, fields):
    told, _ = both(service, **{"max_tokens": 60, "seed": 1, **fields})

    assert told["usage"]["completion_tokens"] >= 1
