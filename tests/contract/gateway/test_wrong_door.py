"""Who knocks at a door that is not there is told which one is meant."""

import socket

import pytest

from tests.contract.gateway.mesh import Gateway


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/v1/embedding", "POST /v1/embeddings"),
        ("POST", "/v1/embed", "POST /v1/embeddings"),
        ("POST", "/v1/embeddings/", "POST /v1/embeddings"),
        ("POST", "/embeddings", "POST /v1/embeddings"),
        ("POST", "/v1/v1/embeddings", "POST /v1/embeddings"),
        ("POST", "/openai/v1/embeddings", "POST /v1/embeddings"),
        ("POST", "/V1/Embeddings", "POST /v1/embeddings"),
        ("POST", "/v1/emebddings?x=1", "POST /v1/embeddings"),
        ("GET", "/v1/model", "GET /v1/models"),
        ("GET", "/models/org/name", "GET /v1/models/{model}"),
        ("GET", "/v1/endpoint", "GET /v1/endpoints"),
    ],
)
def test_an_unknown_path_names_the_nearest_endpoint(
    gateway: Gateway, method: str, path: str, meant: str
) -> None:
    answer = gateway.send(method, path)

    assert answer.status == 404
    assert answer.error == {
        "message": f"Unknown request URL: {method} {path.partition('?')[0]}. Did you mean {meant}?",
        "type": "invalid_request_error",
        "param": None,
        "code": "unknown_url",
    }


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/chat/completions", "/v1/files", "/robots.txt"])
def test_a_path_that_is_near_to_nothing_is_not_guessed(gateway: Gateway, path: str) -> None:
    answer = gateway.send("GET", path)

    assert answer.status == 404
    assert answer.error["message"] == (
        f"Unknown request URL: GET {path}. GET /v1/endpoints lists what there is."
    )


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "/v1/embeddings", "POST"),
        ("DELETE", "/v1/embeddings?x=1", "POST"),
        ("POST", "/v1/models", "GET"),
        ("PUT", "/v1/models/org/name", "GET"),
    ],
)
def test_the_wrong_method_names_the_right_one(
    gateway: Gateway, method: str, path: str, right: str
) -> None:
    answer = gateway.send(method, path)

    assert answer.status == 405
    assert answer.headers["allow"] == right
    assert answer.error["code"] == "method_not_allowed"
    assert answer.error["message"] == (
        f"{method} is not allowed here. Did you mean {right} {path.partition('?')[0]}?"
    )


def test_a_head_request_gets_the_status_and_no_body(gateway: Gateway) -> None:
    answer = gateway.send("HEAD", "/v1/models")

    assert (answer.status, answer.headers["allow"], answer.body) == (405, "GET", b"")


def test_options_without_an_origin_names_the_methods(gateway: Gateway) -> None:
    answer = gateway.send("OPTIONS", "/v1/embeddings")

    assert (answer.status, answer.headers["allow"]) == (204, "POST, OPTIONS")


def test_a_long_path_is_cut(gateway: Gateway) -> None:
    answer = gateway.send("GET", "/v1/" + "a" * 5000)

    assert answer.error["message"] == (
        f"Unknown request URL: GET /v1/{'a' * 196}.... GET /v1/endpoints lists what there is."
    )


def test_odd_bytes_in_a_path_do_not_break_the_json(gateway: Gateway) -> None:
    target = b"/v1/%00%ff%22{}|\\"
    request = b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request)
        answer = connection.makefile("rb").read()

    assert b'"type":"invalid_request_error"' in answer
    assert answer.count(b"\\") == 0


def test_a_json_call_to_a_grpc_path_is_an_unknown_path(gateway: Gateway) -> None:
    path = "/switchboard.embeddings.v1.EmbeddingsRest/CreateEmbeddings"

    answer = gateway.send("POST", path, {}, {"content-type": "application/json"})

    assert answer.status == 404
    assert answer.error["code"] == "unknown_url"
