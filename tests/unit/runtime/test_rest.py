"""JSON in and out, and how a mistake names its field."""

from typing import Annotated, Literal

import msgspec
import pytest

from services.runtime import rest
from services.runtime.calls import Call
from services.runtime.errors import InvalidRequestError

LOOSE = Call("/a.B/C", "id")
STRICT = Call("/a.B/C", "id", strict=True)


class Part(msgspec.Struct):
    text: str
    weight: float = 1.0


class Body(msgspec.Struct):
    model: str
    parts: list[Part] = []
    count: Annotated[int, msgspec.Meta(ge=1, le=10)] | None = None
    form: Literal["float", "base64"] = "float"
    labels: dict[str, str] = {}
    content: str | list[Part] = ""


def decode(body, call=LOOSE):
    return rest.decode(body, Body, call, ignored=frozenset({"user"}))


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        (b"", None, None, "The request body is not valid JSON: Input data was truncated."),
        (b"{", None, None, "The request body is not valid JSON: Input data was truncated."),
        (
            b"[]",
            None,
            "invalid_type",
            "Invalid request body: expected an object, but got an array instead.",
        ),
        (
            b"{}",
            "model",
            "missing_required_parameter",
            "Missing required parameter: 'model'.",
        ),
        (
            b'{"model": 5}',
            "model",
            "invalid_type",
            "Invalid type for 'model': expected a string, but got an integer instead.",
        ),
        (
            b'{"model": "m", "parts": [{"text": "a"}, {}]}',
            "parts[1].text",
            "missing_required_parameter",
            "Missing required parameter: 'parts[1].text'.",
        ),
        (
            b'{"model": "m", "parts": [{"text": "a", "weight": "1"}]}',
            "parts[0].weight",
            "invalid_type",
            "Invalid type for 'parts[0].weight': expected a number, but got a string instead.",
        ),
        (
            b'{"model": "m", "content": true}',
            "content",
            "invalid_type",
            "Invalid type for 'content': expected a string or an array, but got a boolean instead.",
        ),
        (
            b'{"model": "m", "count": 11}',
            "count",
            "invalid_value",
            "Invalid value for 'count': expected an integer <= 10.",
        ),
        (
            b'{"model": "m", "form": "hex"}',
            "form",
            "invalid_value",
            "Invalid value for 'form': Invalid enum value 'hex'.",
        ),
        (
            b'{"model": "m", "labels": {"a": 1}}',
            "labels",
            "invalid_type",
            "Invalid type for 'labels': expected a string, but got an integer instead.",
        ),
    ],
)
def test_a_mistake_names_its_field_and_what_would_be_right(body, param, code, message):
    with pytest.raises(InvalidRequestError) as refused:
        decode(body)

    error = refused.value.body()["error"]
    assert (error["message"], error["param"], error["code"]) == (message, param, code)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "\xff"}',
        b'{"model": "\\ud83d"}',
        b'{"model": "m"} {}',
        b'\xef\xbb\xbf{"model": "m"}',
        b"nonsense",
        b'{"model": "m", "future": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 1_000_000,
        b"\x00",
    ],
)
def test_what_is_no_json_is_refused_whether_strict_or_not(body):
    for call in (LOOSE, STRICT):
        with pytest.raises(InvalidRequestError, match=r"^(The|Invalid) request body"):
            decode(body, call)


def test_a_piece_of_a_request_is_named_by_its_place():
    with pytest.raises(InvalidRequestError) as refused:
        rest.decode_value(b'[[1], ["a"]]', list[list[int]], "input")

    assert refused.value.param == "input[1][0]"


@pytest.mark.parametrize(
    ("value", "at", "param"),
    [({}, "parts[3]", "parts[3].text"), ({"text": 5}, "parts[3]", "parts[3].text"), ([], "", None)],
)
def test_a_decoded_piece_of_a_request_is_named_by_its_place_too(value, at, param):
    with pytest.raises(InvalidRequestError) as refused:
        rest.convert_value(value, Part, at)

    assert refused.value.param == param


def test_a_decoded_piece_of_a_request_is_typed():
    assert rest.convert_value({"text": "a", "weight": 2}, Part) == Part("a", 2.0)


def test_unknown_fields_pass_unless_the_call_is_strict():
    body = b'{"model": "m", "user": "u", "temprature": 1}'

    accepted = decode(body)
    with pytest.raises(InvalidRequestError) as refused:
        decode(body, STRICT)

    assert accepted.model == "m"
    assert refused.value.body()["error"]["param"] == "temprature"
    assert refused.value.body()["error"]["code"] == "unknown_parameter"


def test_ignored_fields_of_the_hosted_service_pass_in_strict_calls_too():
    assert decode(b'{"model": "m", "user": {"any": "thing"}}', STRICT).model == "m"


def test_a_strict_refusal_fits_into_headers_however_long_the_field_is():
    body = msgspec.json.encode({"model": "m", "😀" * 5000: 1})

    with pytest.raises(InvalidRequestError) as refused:
        decode(body, STRICT)

    assert len(refused.value.param) == 200


@pytest.mark.parametrize("size", [0, 1, rest.PART_BYTES, rest.PART_BYTES + 1, 5 * rest.PART_BYTES])
def test_parts_add_up_to_the_body(size):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    parts = list(rest.byte_parts(data, "audio/wav"))

    assert b"".join(part.data for part in parts) == data
    assert len(parts) == max(1, -(-size // rest.PART_BYTES))
    assert {part.content_type for part in parts} == {"audio/wav"}


def test_json_leaves_as_json():
    (part,) = rest.json_parts(b'{"a":null}')

    assert part.content_type == "application/json"
    assert part.data == b'{"a":null}'


def test_an_event_is_a_data_line_and_a_name_stands_before_it():
    plain = rest.event({"a": "line\nbreak"})
    named = rest.event({"a": 1}, "image.done")

    assert plain.content_type == "text/event-stream"
    assert plain.data == b'data: {"a":"line\\nbreak"}\n\n'
    assert named.data == b'event: image.done\ndata: {"a":1}\n\n'
