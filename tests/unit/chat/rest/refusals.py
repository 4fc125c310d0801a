"""What a caller is told of a mistake: the field, the code, the message."""

from collections.abc import Callable
from typing import TypeAlias

from services.runtime.errors import InvalidRequestError

Told: TypeAlias = tuple[str | None, str | None, str]


def refusal(read: Callable[..., object], **body: object) -> Told:
    """Return what is told of the mistake in a body."""
    try:
        read(**body)
    except InvalidRequestError as error:
        told = error.body()["error"]
        return told["param"], told["code"], str(error)
    raise AssertionError("the body was accepted")


def wrong_type(param: str, expected: str, given: str) -> Told:
    message = f"Invalid type for '{param}': expected {expected}, but got {given} instead."
    return param, "invalid_type", message


def wrong_value(param: str, why: str) -> Told:
    return param, "invalid_value", f"Invalid value for '{param}': {why}"


def unsupported(param: str, why: str) -> Told:
    return param, "unsupported_value", f"Unsupported value for '{param}': {why}"


def missing(param: str) -> Told:
    return param, "missing_required_parameter", f"Missing required parameter: '{param}'."
