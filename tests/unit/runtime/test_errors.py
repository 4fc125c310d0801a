"""Every error of the table, and what it says on the wire."""

import json
from urllib.parse import quote

import grpc
import pytest

from services.runtime import errors
from services.runtime.errors import (
    ContextLengthError,
    InternalError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ServiceError,
    shown,
)

ENVOY = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""Source: https://github.com/envoyproxy/envoy/blob/main/source/common/grpc/status.cc"""


def tree(kind):
    """Yield the subclasses of an error that the project defines, at any depth."""
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from tree(child)


KINDS = sorted(tree(ServiceError), key=lambda kind: kind.__name__)


def example(kind):
    if kind is OverloadedError:
        return OverloadedError("full", retry_after_s=3.0)
    if kind is InternalError:
        return InternalError()
    return kind("said")


def test_every_error_has_a_row_and_every_row_an_error():
    assert set(errors.TABLE) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_names_a_grpc_status_that_envoy_turns_into_its_http_status(kind):
    telling = example(kind).telling

    assert telling.grpc_status in grpc.StatusCode.__members__
    assert telling.http_status == ENVOY[telling.grpc_status]


@pytest.mark.parametrize("kind", KINDS)
def test_the_body_is_the_object_that_sdks_read(kind):
    body = json.loads(json.dumps(example(kind).body()))

    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert isinstance(body["error"]["message"], str)
    assert isinstance(body["error"]["type"], str)
    assert isinstance(body["error"]["param"], str | None)
    assert isinstance(body["error"]["code"], str | None)


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_tells_an_sdk_to_wait_longer_than_it_would(kind):
    seconds = example(kind).retry_after_s

    assert seconds is None or 0 < seconds <= 120


@pytest.mark.parametrize(("asked", "told"), [(0.0, 1.0), (7.5, 7.5), (1e9, 120.0)])
def test_overload_is_told_for_one_second_to_two_minutes(asked, told):
    assert OverloadedError("full", retry_after_s=asked).retry_after_s == told


def test_an_error_may_bring_a_code_of_its_own():
    plain = InvalidRequestError("no", param="input")
    special = InvalidRequestError("no", param="input", code="invalid_type")

    assert plain.body()["error"]["code"] is None
    assert special.body()["error"]["code"] == "invalid_type"
    assert special.body()["error"]["param"] == "input"


def test_a_narrower_error_is_still_caught_as_the_wider_one():
    error = ContextLengthError("too long", param="input[3]")

    assert isinstance(error, InvalidRequestError)
    assert error.body()["error"]["code"] == "context_length_exceeded"


def test_a_subclass_without_a_row_is_told_like_its_parent():
    class OddError(ModelNotFoundError):
        pass

    assert OddError("no").telling is errors.TABLE[ModelNotFoundError]


def test_an_unknown_model_is_the_fault_of_the_field_model():
    assert ModelNotFoundError("no").param == "model"


def test_an_internal_error_has_no_detail():
    assert str(InternalError()) == InternalError.message


@pytest.mark.parametrize("character", ["a", "é", "日", "😀", '"', "\\", "\x01", "%"])
def test_a_message_fits_into_headers_whatever_it_is_written_in(character):
    """It travels percent-encoded and as JSON; gRPC's clients refuse more than 8 KiB."""
    error = InvalidRequestError(character * 100_000)

    message = str(error)

    assert 100 < len(message) <= errors.MAX_MESSAGE_CHARACTERS
    assert len(quote(message)) + len(json.dumps(error.body())) < 6000


def test_a_shown_value_is_quoted_and_cut():
    assert shown("short") == "'short'"
    assert shown(5) == "'5'"
    assert shown("x" * 1000) == "'" + "x" * 200 + "…'"
