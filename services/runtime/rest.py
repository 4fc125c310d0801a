"""JSON in, JSON, SSE or bytes out, as `google.api.HttpBody`; every mistake names its field.

Source: https://platform.openai.com/docs/api-reference (the error's `param` is the field's path)
"""

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec
from google.api.httpbody_pb2 import HttpBody

from services.runtime.calls import Call
from services.runtime.errors import InvalidRequestError, shown

ValueT = TypeVar("ValueT")
StructT = TypeVar("StructT", bound=msgspec.Struct)

PART_BYTES = 256 * 1024
"""An answer leaves in parts of this size, so that the gateway never holds a large one whole."""

_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_TYPES = re.compile(r"^Expected `(?P<expected>[^`]+)`, got `(?P<given>[^`]+)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]+)`$")
_BOUND = re.compile(r"^Expected `(?P<type>[^`]+)` (?P<bound>.+)$")
_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}


def decode(body: bytes, kind: type[StructT], call: Call, *, ignored: frozenset[str]) -> StructT:
    """Return the request in a JSON body.

    Args:
        body: The raw body.
        kind: What it should hold.
        call: Its `strict` makes an unknown top-level field an error.
        ignored: Fields of hosted services that are accepted and do nothing, in strict calls too.

    Raises:
        InvalidRequestError: The body is no JSON, or a field is wrong; `param` is the field's path.
    """
    if call.strict:
        _refuse_unknown(body, kind, ignored)
    return decode_value(body, kind)


def decode_value(raw: bytes | msgspec.Raw, kind: type[ValueT], at: str = "") -> ValueT:
    """Return the value in a piece of JSON, typed.

    Args:
        raw: The piece.
        kind: What it should hold; any type that msgspec knows.
        at: Path of the piece in the request; empty for the whole body.

    Raises:
        InvalidRequestError: As `decode`.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), at) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"The request body is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequestError("The request body is nested too deeply.") from None


def convert_value(value: object, kind: type[ValueT], at: str = "") -> ValueT:
    """Return a piece of a request that is decoded already, typed; args and errors as above."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), at) from None


def json_parts(body: bytes) -> Iterator[HttpBody]:
    """Yield a JSON body in parts."""
    return byte_parts(body, "application/json")


def byte_parts(data: bytes, content_type: str) -> Iterator[HttpBody]:
    """Yield a body in parts; the content type of the first one counts."""
    view = memoryview(data)
    for start in range(0, max(len(view), 1), PART_BYTES):
        yield HttpBody(content_type=content_type, data=bytes(view[start : start + PART_BYTES]))


def event(value: object, name: str | None = None) -> HttpBody:
    """Return one server-sent event.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
    """
    head = f"event: {name}\n".encode() if name else b""
    data = head + b"data: " + msgspec.json.encode(value) + b"\n\n"
    return HttpBody(content_type="text/event-stream", data=data)


def _refuse_unknown(body: bytes, kind: type[msgspec.Struct], ignored: frozenset[str]) -> None:
    known = {field.encode_name for field in msgspec.structs.fields(kind)} | ignored
    for name in decode_value(body, dict[str, msgspec.Raw]):
        if name not in known:
            raise InvalidRequestError(
                f"Unknown parameter: {shown(name)}. The request says x-switchboard-strict: true.",
                param=name[:200],
                code="unknown_parameter",
            )


def _explain(message: str, at: str) -> InvalidRequestError:
    """Turn msgspec's message into one in the API's words."""
    match = _PLACE.match(message)
    assert match is not None
    problem = match["problem"]
    place = at + (match["path"] or "$").removeprefix("$")
    param = place.removeprefix(".").replace("[...]", "")
    if missing := _MISSING.match(problem):
        param = f"{param}.{missing['name']}" if param else missing["name"]
        text, code = f"Missing required parameter: '{param}'.", "missing_required_parameter"
    elif types := _TYPES.match(problem):
        expected, given = _worded(types["expected"]), _worded(types["given"])
        subject = f"Invalid type for '{param}'" if param else "Invalid request body"
        text, code = f"{subject}: expected {expected}, but got {given} instead.", "invalid_type"
    elif bound := _BOUND.match(problem):
        text = f"Invalid value for '{param}': expected {_worded(bound['type'])} {bound['bound']}."
        code = "invalid_value"
    else:
        text, code = f"Invalid value for '{param}': {problem}.", "invalid_value"
    return InvalidRequestError(text, param=param or None, code=code)


def _worded(types: str) -> str:
    """Say `int | null` as `an integer or null`."""
    return " or ".join(_NAMES.get(name, name) for name in types.split(" | "))
