"""Embeddings through a real Envoy: plain HTTP, the official SDK and typed stubs."""

import base64
import concurrent.futures

import grpc
import numpy as np
import openai
import pytest
import tokenizers
from switchboard.embeddings.v1 import embeddings_pb2, embeddings_pb2_grpc

from tests.e2e.conftest import FOLDER, MODEL
from tests.mesh import Mesh

TEXT = "One number for every model."


def typed(mesh: Mesh, *texts: str) -> embeddings_pb2.CreateEmbeddingsResponse:
    with grpc.insecure_channel(f"127.0.0.1:{mesh.port}") as channel:
        stub = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)
        return stub.CreateEmbeddings(
            embeddings_pb2.CreateEmbeddingsRequest(
                model=MODEL, texts=embeddings_pb2.TextInputs(values=texts)
            ),
            timeout=30,
        )


def test_json_sdk_and_typed_stub_give_the_same_vector(mesh: Mesh, client: openai.OpenAI) -> None:
    by_json = mesh.post("/v1/embeddings", {"model": MODEL, "input": TEXT}).json
    by_sdk = client.embeddings.create(model=MODEL, input=TEXT)
    by_stub = typed(mesh, TEXT)

    expected = by_json["data"][0]["embedding"]
    assert len(expected) == 384
    np.testing.assert_allclose(by_sdk.data[0].embedding, expected, atol=1e-6)
    np.testing.assert_allclose(by_stub.embeddings[0].values, expected, atol=1e-6)
    assert by_json["usage"] == {"prompt_tokens": 8, "total_tokens": 8}
    assert by_sdk.usage.prompt_tokens == by_stub.usage.prompt_tokens == 8
    assert by_sdk.model == by_stub.model == by_json["model"] == MODEL


def test_the_sdk_gets_base64_because_it_asks_for_it(mesh: Mesh, client: openai.OpenAI) -> None:
    raw = client.embeddings.with_raw_response.create(
        model=MODEL, input=TEXT, encoding_format="base64"
    )

    told = raw.http_response.json()["data"][0]["embedding"]
    plain = mesh.post("/v1/embeddings", {"model": MODEL, "input": TEXT}).json
    numbers = np.frombuffer(base64.b64decode(told), "<f4")
    np.testing.assert_allclose(numbers, plain["data"][0]["embedding"], atol=1e-6)


def test_every_form_of_input_is_understood(client: openai.OpenAI) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_padding()
    ids = tokenizer.encode(TEXT).ids

    text = client.embeddings.create(model=MODEL, input=TEXT)
    texts = client.embeddings.create(model=MODEL, input=[TEXT, "Another text."])
    tokens = client.embeddings.create(model=MODEL, input=ids)
    token_lists = client.embeddings.create(model=MODEL, input=[ids, ids[:3]])

    expected = text.data[0].embedding
    assert [one.index for one in texts.data] == [0, 1]
    assert texts.usage.prompt_tokens == 8 + 5
    for answer in (texts, tokens, token_lists):
        np.testing.assert_allclose(answer.data[0].embedding, expected, atol=5e-3)
    np.testing.assert_allclose(tokens.data[0].embedding, expected, atol=1e-6)


def test_dimensions_cut_and_renormalise(client: openai.OpenAI) -> None:
    whole = np.array(client.embeddings.create(model=MODEL, input=TEXT).data[0].embedding)

    short = client.embeddings.create(model=MODEL, input=TEXT, dimensions=64)

    expected = whole[:64] / np.linalg.norm(whole[:64])
    np.testing.assert_allclose(short.data[0].embedding, expected, atol=1e-6)


def test_near_texts_are_nearer_than_far_ones(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(
        model=MODEL,
        input=["A cat sits on the mat.", "A kitten rests on a rug.", "Tax law of 1986."],
    )

    cat, kitten, tax = (np.array(one.embedding) for one in answer.data)
    assert cat @ kitten > cat @ tax + 0.3


def test_the_largest_request_is_answered_whole_and_in_order(client: openai.OpenAI) -> None:
    texts = [f"text number {number}" for number in range(2048)]

    answer = client.embeddings.create(model=MODEL, input=texts)

    assert [one.index for one in answer.data] == list(range(2048))
    vectors = np.array([one.embedding for one in answer.data])
    alone = client.embeddings.create(model=MODEL, input=texts[1234]).data[0].embedding
    assert int((vectors @ np.array(alone)).argmax()) == 1234


def test_callers_at_once_get_their_own_answers(client: openai.OpenAI) -> None:
    texts = [f"{word} in a crowd" for word in ("red", "green", "blue", "black", "white")]
    alone = [client.embeddings.create(model=MODEL, input=text).data[0].embedding for text in texts]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        asked = texts * 20
        answers = list(
            pool.map(lambda text: client.embeddings.create(model=MODEL, input=text), asked)
        )

    for number, answer in enumerate(answers):
        similarities = np.array(alone) @ np.array(answer.data[0].embedding)
        assert int(similarities.argmax()) == number % len(texts)
        assert similarities.max() > 0.99


def test_an_alias_with_a_slash_is_a_model_too(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="org/minilm", input=TEXT)
    model = client.models.retrieve("org/minilm")

    assert answer.model == model.id == MODEL


def test_the_model_list_tells_state_and_endpoint(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data

    assert (model.id, model.object, model.owned_by) == (MODEL, "model", "switchboard")
    extra = model.model_extra or {}
    assert extra["state"] == "ready"
    assert extra["endpoint"] == "POST /v1/embeddings"
    assert extra["dimensions"] == 384


def test_request_ids_come_back(mesh: Mesh, client: openai.OpenAI) -> None:
    own = mesh.post("/v1/embeddings", {"model": MODEL, "input": TEXT}, {"x-request-id": "mine-1"})

    assert own.headers["x-request-id"] == "mine-1"
    assert client.embeddings.create(model=MODEL, input=TEXT)._request_id
    assert int(own.headers["openai-processing-ms"]) >= 0


def test_errors_are_the_classes_that_sdk_users_catch(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.embeddings.create(model="nobody", input=TEXT)
    with pytest.raises(openai.BadRequestError) as too_long:
        client.embeddings.create(model=MODEL, input=["short", "long " * 400])

    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert unknown.value.request_id
    assert (too_long.value.code, too_long.value.param) == ("context_length_exceeded", "input[1]")
    assert "256 tokens" in too_long.value.message


def test_the_typed_door_tells_errors_as_statuses(mesh: Mesh) -> None:
    with pytest.raises(grpc.RpcError) as empty:
        typed(mesh)

    assert empty.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "'input' is empty" in empty.value.details()


def test_reflection_on_the_gateway_finds_the_typed_door(mesh: Mesh) -> None:
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase,
    )

    with grpc.insecure_channel(f"127.0.0.1:{mesh.port}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        services = set(database.get_services())
        pool = DescriptorPool(database)
        method = pool.FindServiceByName("switchboard.embeddings.v1.EmbeddingsService")

    assert {"switchboard.embeddings.v1.EmbeddingsService"} <= services
    assert "switchboard.frontdesk.v1.DirectoryService" in services
    assert [one.name for one in method.methods] == ["CreateEmbeddings"]
