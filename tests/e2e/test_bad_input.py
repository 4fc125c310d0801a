"""What callers get for mistakes: always OpenAI's error object, always the field's name."""

import json
import os
import socket

import pytest

from tests.e2e.conftest import MODEL
from tests.mesh import Answer, Mesh


def error_of(answer: Answer) -> dict[str, str | None]:
    """The error object, after checking its types and that nothing of the mesh's inside leaks."""
    error: dict[str, str | None] = answer.error
    assert isinstance(error["message"], str)
    assert isinstance(error["type"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    assert not {"grpc-status", "grpc-message", "x-openai-error"} & set(answer.headers)
    return error


@pytest.mark.parametrize(
    ("body", "status", "param", "code", "words"),
    [
        (b"{", 400, None, None, "not valid JSON"),
        (b"", 400, None, None, "not valid JSON"),
        (b"[]", 400, None, "invalid_type", "expected an object"),
        (b"\x00\xff\xfe garbage \x80", 400, None, None, "not valid JSON"),
        (b'{"model": "\xff", "input": "a"}', 400, None, None, "not valid JSON"),
        (b'{"model": "m", "input": ' + b"[" * 100_000, 400, None, None, "too deeply"),
        ({"input": "a"}, 400, "model", "missing_required_parameter", "'model'"),
        ({"model": MODEL}, 400, "input", "missing_required_parameter", "'input'"),
        ({"model": 5, "input": "a"}, 400, "model", "invalid_type", "expected a string"),
        ({"model": "", "input": "a"}, 400, "model", "missing_required_parameter", "'model'"),
        ({"model": "nobody", "input": "a"}, 404, "model", "model_not_found", "'nobody'"),
        ({"model": "x" * 5000, "input": "a"}, 404, "model", "model_not_found", "…"),
        ({"model": "naïve 模型", "input": "a"}, 404, "model", "model_not_found", "naïve 模型"),
        ({"model": MODEL, "input": {}}, 400, "input", "invalid_type", "array of strings"),
        ({"model": MODEL, "input": None}, 400, "input", "invalid_type", "array of strings"),
        ({"model": MODEL, "input": 5}, 400, "input", "invalid_type", "array of strings"),
        ({"model": MODEL, "input": ""}, 400, "input", "invalid_value", "is empty"),
        ({"model": MODEL, "input": []}, 400, "input", "invalid_value", "is empty"),
        ({"model": MODEL, "input": ["a", ""]}, 400, "input[1]", "invalid_value", "is empty"),
        ({"model": MODEL, "input": [[]]}, 400, "input[0]", "invalid_value", "is empty"),
        ({"model": MODEL, "input": ["a", 1]}, 400, "input[1]", "invalid_type", "a string"),
        ({"model": MODEL, "input": [1, "a"]}, 400, "input[1]", "invalid_type", "an integer"),
        ({"model": MODEL, "input": [[1], [2.5]]}, 400, "input[1][0]", "invalid_type", "integer"),
        ({"model": MODEL, "input": [-1]}, 400, "input[0]", "invalid_value", "no token id"),
        ({"model": MODEL, "input": [10**30]}, 400, "input[0]", "invalid_value", "input[0]"),
        ({"model": MODEL, "input": ["a"] * 2049}, 400, "input", "invalid_value", "2048"),
        ({"model": MODEL, "input": "a " * 300}, 400, "input", "context_length_exceeded", "256"),
        (
            {"model": MODEL, "input": "a", "dimensions": "x"},
            400, "dimensions", "invalid_type", "an integer",
        ),
        ({"model": MODEL, "input": "a", "dimensions": 0}, 400, "dimensions", "invalid_value", "1"),
        (
            {"model": MODEL, "input": "a", "dimensions": 385},
            400, "dimensions", "invalid_value", "384",
        ),
        (
            {"model": MODEL, "input": "a", "encoding_format": "int8"},
            400, "encoding_format", "invalid_value", "'float' and 'base64'",
        ),
        (
            {"model": MODEL, "input": "a", "prompt_name": "query"},
            400, "prompt_name", "invalid_value", "Prompts of the model: none",
        ),
    ],
)  # fmt: skip
def test_a_wrong_body_names_its_field(
    mesh: Mesh, body: object, status: int, param: str | None, code: str | None, words: str
) -> None:
    answer = mesh.post("/v1/embeddings", body)

    error = error_of(answer)
    assert (answer.status, error["param"], error["code"]) == (status, param, code)
    assert words in (error["message"] or "")
    assert error["type"] == "invalid_request_error"


def test_a_body_over_the_limit_is_a_413(mesh: Mesh) -> None:
    body = json.dumps({"model": MODEL, "input": "x" * 20_000_000}).encode()

    answer = mesh.post("/v1/embeddings", body)

    assert answer.status == 413
    assert "16777216" in (error_of(answer)["message"] or "")


def test_unknown_fields_pass_unless_the_caller_is_strict(mesh: Mesh) -> None:
    body = {"model": MODEL, "input": "a", "user": "me", "colour": "red"}

    lax = mesh.post("/v1/embeddings", body)
    strict = mesh.post("/v1/embeddings", body, {"x-switchboard-strict": "true"})

    assert lax.status == 200
    assert strict.status == 400
    assert error_of(strict)["param"] == "colour"


def test_an_unknown_path_names_the_nearest_endpoint(mesh: Mesh) -> None:
    answer = mesh.ask("POST", "/v1/embedding?x=1", b"{}")

    assert answer.status == 404
    assert "POST /v1/embeddings" in (error_of(answer)["message"] or "")


def test_a_wrong_method_is_told_the_right_one(mesh: Mesh) -> None:
    answer = mesh.ask("GET", "/v1/embeddings")

    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert "POST" in (error_of(answer)["message"] or "")


def test_an_unknown_model_of_the_directory_is_a_404(mesh: Mesh) -> None:
    answer = mesh.ask("GET", "/v1/models/org%2Fnobody")

    assert answer.status == 404
    assert error_of(answer)["code"] == "model_not_found"


def test_noise_on_the_socket_does_no_harm(mesh: Mesh) -> None:
    with socket.create_connection(("127.0.0.1", mesh.port), timeout=10) as noisy:
        noisy.sendall(os.urandom(4096))

    assert mesh.ask("GET", "/v1/models").status == 200
