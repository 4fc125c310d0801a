"""What a service says of an error reaches a REST client as OpenAI's object."""

import pytest

from tests.contract.gateway.backends import ERROR
from tests.contract.gateway.mesh import Gateway


@pytest.mark.parametrize(
    ("status", "http_status"),
    [
        ("INVALID_ARGUMENT", 400),
        ("UNAUTHENTICATED", 401),
        ("PERMISSION_DENIED", 403),
        ("NOT_FOUND", 404),
        ("ABORTED", 409),
        ("RESOURCE_EXHAUSTED", 429),
        ("INTERNAL", 500),
        ("UNIMPLEMENTED", 501),
        ("UNAVAILABLE", 503),
        ("DEADLINE_EXCEEDED", 504),
    ],
)
def test_the_object_of_the_service_becomes_the_body(
    gateway: Gateway, status: str, http_status: int
) -> None:
    answer = gateway.post(do="abort", status=status)

    assert answer.status == http_status
    assert answer.json == ERROR
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["retry-after"] == "3"
    assert "x-openai-error" not in answer.headers


def test_an_error_after_the_initial_metadata_keeps_its_object(gateway: Gateway) -> None:
    answer = gateway.post(do="abort", status="INVALID_ARGUMENT", late=True)

    assert answer.status == 400
    assert answer.json == ERROR
    assert answer.headers["openai-processing-ms"] == "5"


def test_an_error_without_an_object_is_told_with_its_grpc_message(gateway: Gateway) -> None:
    answer = gateway.post(do="abort", status="RESOURCE_EXHAUSTED", bare=True)

    assert answer.status == 429
    assert answer.error == {
        "message": 'said "é"',
        "type": "requests",
        "param": None,
        "code": None,
    }


def test_what_nobody_expected_is_told_without_detail(gateway: Gateway) -> None:
    answer = gateway.post(do="fail")

    assert answer.status == 500
    assert answer.error["type"] == "server_error"
    assert b"secret" not in answer.body


def test_an_error_of_a_typed_method_has_the_same_shape(gateway: Gateway) -> None:
    answer = gateway.send("GET", "/v1/models/none")

    assert answer.status == 404
    assert answer.json == ERROR
    assert answer.headers["content-length"] == str(len(answer.body))


def test_no_header_of_the_inside_reaches_a_rest_client(gateway: Gateway) -> None:
    answers = [
        gateway.post(),
        gateway.post(do="abort", status="NOT_FOUND"),
        gateway.send("GET", "/v1/models"),
        gateway.send("GET", "/v1/models/none"),
        gateway.send("GET", "/v1/nowhere"),
    ]

    for answer in answers:
        inner = [name for name in answer.headers if name.startswith(("grpc-", "x-envoy-"))]
        assert inner == []
        assert "server" not in answer.headers
