"""What Envoy itself answers has OpenAI's shape as well."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.gateway import backends
from tests.contract.gateway.mesh import Gateway

StartGateway = Callable[..., Gateway]


def raw(gateway: Gateway, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"}}\n") and (part := connection.recv(2**16)):
            answer += part
        return answer


@pytest.mark.parametrize(
    "request_line", [b"GARBAGE", b"GET /v1/models HTTP/1.1", b"BREW /v1/models HTTP/1.1"]
)
def test_what_is_not_http_is_a_400(gateway: Gateway, request_line: bytes) -> None:
    answer = raw(gateway, request_line + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"error":{"code":null,"message":"The request cannot be read (' in answer


def test_a_body_above_the_limit_is_a_413_that_names_the_setting(gateway: Gateway) -> None:
    answer = gateway.send("POST", "/v1/embeddings", b"x" * (2**20 + 1))

    assert answer.status == 413
    assert answer.error == {
        "message": "The request body is larger than 1048576 bytes "
        "(the setting gateway.max_body_bytes).",
        "type": "invalid_request_error",
        "param": None,
        "code": "request_too_large",
    }


def test_a_body_of_the_limit_arrives_whole(gateway: Gateway) -> None:
    answer = gateway.send("POST", "/v1/embeddings", b"x" * 2**20)

    assert answer.json["bytes"] == 2**20


def test_headers_above_the_limit_are_a_431(gateway: Gateway) -> None:
    answer = gateway.send("GET", "/v1/models", headers={"a": "x" * 61 * 2**10})

    assert answer.status == 431
    assert answer.error["message"] == "The headers are larger than 60 KiB or more than 100."
    assert answer.error["code"] == "headers_too_large"


def test_an_upgrade_is_a_403(gateway: Gateway) -> None:
    answer = gateway.send(
        "GET", "/v1/models", headers={"connection": "upgrade", "upgrade": "websocket"}
    )

    assert answer.status == 403
    assert answer.error["code"] == "permission_denied"


def test_a_service_that_is_down_is_a_503_to_be_tried_again(
    start_gateway: StartGateway, services: tuple[backends.Backend, backends.Backend]
) -> None:
    nobody = backends.embeddings()
    nobody.close()
    gateway = start_gateway(nobody.port, services[1].port)

    answer = gateway.post()

    assert answer.status == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.error == {
        "message": "The embeddings service is not ready or is restarting.",
        "type": "server_error",
        "param": None,
        "code": "service_unavailable",
    }
    assert gateway.send("GET", "/v1/models").status == 200


def test_more_calls_than_a_service_may_hold_are_a_503_that_names_the_setting(
    start_gateway: StartGateway, services: tuple[backends.Backend, backends.Backend]
) -> None:
    gateway = start_gateway(services[0].port, services[1].port, max_requests=1)

    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda _: gateway.post(do="wait", s=0.5), range(4)))

    assert sorted(answer.status for answer in answers) == [200, 503, 503, 503]
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.error["code"] == "overloaded"
    assert "1 calls in flight (the setting gateway.max_requests)" in refused.error["message"]
    assert refused.headers["retry-after"] == "2"


def test_a_silent_call_is_a_504_that_names_the_setting(
    start_gateway: StartGateway, services: tuple[backends.Backend, backends.Backend]
) -> None:
    gateway = start_gateway(services[0].port, services[1].port, stream_idle_timeout_s=0.3)

    answer = gateway.post(do="wait", s=2)

    assert answer.status == 504
    assert answer.error["code"] == "timeout"
    assert "silent for 0.3 s (the setting gateway.stream_idle_timeout_s)" in answer.error["message"]


def test_a_request_that_does_not_arrive_is_a_408(
    start_gateway: StartGateway, services: tuple[backends.Backend, backends.Backend]
) -> None:
    gateway = start_gateway(services[0].port, services[1].port, stream_idle_timeout_s=0.3)
    head = b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"

    answer = raw(gateway, head)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"timeout"' in answer
