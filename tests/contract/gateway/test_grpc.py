"""gRPC clients use the same port, and nothing of what is done for REST touches them."""

from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from switchboard.embeddings.v1 import embeddings_pb2, embeddings_pb2_grpc
from switchboard.frontdesk.v1 import frontdesk_pb2, frontdesk_pb2_grpc
from switchboard.runtime.v1 import runtime_pb2, runtime_pb2_grpc

from tests.contract.gateway.backends import DESK, TRAILERS
from tests.contract.gateway.mesh import Gateway


@pytest.fixture
def channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    with gateway.channel() as channel:
        yield channel


def test_a_call_passes_with_its_metadata(channel: grpc.Channel) -> None:
    stub = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)

    response, call = stub.CreateEmbeddings.with_call(
        embeddings_pb2.CreateEmbeddingsRequest(model="m"), metadata=(("x-request-id", "mine"),)
    )

    assert response.model == "m"
    assert dict(call.initial_metadata())["x-request-id"] == "mine"


def test_an_error_arrives_with_status_words_and_trailers(channel: grpc.Channel) -> None:
    stub = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)

    with pytest.raises(grpc.RpcError) as raised:
        stub.CreateEmbeddings(embeddings_pb2.CreateEmbeddingsRequest(model="x"))

    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert raised.value.details() == "no such model"
    assert dict(TRAILERS).items() <= dict(raised.value.trailing_metadata()).items()


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    for path in ("/switchboard.embeddings.v1.EmbeddingsService/Nothing", "/some.Service/Nothing"):
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(path)(b"")

        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert "{" not in raised.value.details()


def test_what_processes_tell_the_mesh_stays_inside(channel: grpc.Channel) -> None:
    stub = runtime_pb2_grpc.RuntimeServiceStub(channel)

    with pytest.raises(grpc.RpcError) as raised:
        stub.ListServedModels(runtime_pb2.ListServedModelsRequest())

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_front_desk_answers_grpc_too(channel: grpc.Channel) -> None:
    stub = frontdesk_pb2_grpc.DirectoryServiceStub(channel)

    assert stub.GetModel(frontdesk_pb2.GetModelRequest(model="m")).id == "m"


def test_reflection_and_health_are_those_of_the_front_desk(channel: grpc.Channel) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="*")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    health = health_pb2_grpc.HealthStub(channel)

    (response,) = stub.ServerReflectionInfo(iter([request]))

    assert [service.name for service in response.list_services_response.service] == [DESK]
    checked = health.Check(health_pb2.HealthCheckRequest(service=DESK))
    assert checked.status == health_pb2.HealthCheckResponse.SERVING


def test_a_deadline_ends_the_call(channel: grpc.Channel) -> None:
    stub = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)

    with pytest.raises(grpc.RpcError) as raised:
        stub.CreateEmbeddings(embeddings_pb2.CreateEmbeddingsRequest(model="wait"), timeout=0.2)

    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_gateways_own_answer_is_words_and_not_json(gateway: Gateway) -> None:
    answer = gateway.send(
        "POST", "/some.Service/Nothing", b"", {"content-type": "application/grpc"}
    )

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/grpc"
    assert answer.headers["grpc-status"] == "12"
    assert "{" not in answer.headers.get("grpc-message", "")
