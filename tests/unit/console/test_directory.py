"""What a mesh says about itself."""

from collections.abc import Callable
from http.server import HTTPServer

import pytest

from console.directory import Directory, Endpoint, MeshError, Model

Gateway = Callable[[dict[str, tuple[int, bytes]]], HTTPServer]


def directory(server: HTTPServer) -> Directory:
    return Directory(f"http://127.0.0.1:{server.server_port}")


def test_models_are_read_and_keys_that_nobody_knows_are_passed_over(gateway: Gateway) -> None:
    body = b'{"object": "list", "data": [{"id": "a/b", "state": "ready", "new": 1}]}'

    models = directory(gateway({"/v1/models": (200, body)})).models()

    assert models == (Model(id="a/b", state="ready"),)


def test_endpoints_are_read(gateway: Gateway) -> None:
    body = b'{"data": [{"method": "POST", "path": "/v1/embeddings", "service": "embeddings"}]}'

    endpoints = directory(gateway({"/v1/endpoints": (200, body)})).endpoints()

    assert endpoints == (Endpoint(method="POST", path="/v1/embeddings", service="embeddings"),)


def test_a_mesh_that_is_not_there_does_not_answer() -> None:
    with pytest.raises(MeshError, match=r"^http://127\.0\.0\.1:1 does not answer \(Connection ref"):
        Directory("127.0.0.1:1").models()


def test_an_error_of_the_mesh_is_told_with_its_text(gateway: Gateway) -> None:
    with pytest.raises(MeshError, match=r"/v1/models answers 503 \(no healthy upstream\)$"):
        directory(gateway({"/v1/models": (503, b"no healthy upstream")})).models()


def test_another_server_on_the_port_is_no_gateway(gateway: Gateway) -> None:
    with pytest.raises(MeshError, match="no Switchboard gateway"):
        directory(gateway({"/v1/models": (200, b"<html>")})).models()


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(MeshError, match="does not answer"):
        Directory("http://localhost:many").models()
