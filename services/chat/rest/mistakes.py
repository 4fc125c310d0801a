"""How the door words what is wrong with a request; it knows no field."""

from collections.abc import Sequence
from typing import TypeVar

from services.chat.engine.conversation import NAME
from services.runtime.errors import InvalidRequestError, shown

TextT = TypeVar("TextT", bound=str)


def invalid(param: str, why: str) -> InvalidRequestError:
    """Return the refusal of a value; `why` is a sentence's end that says what would be right."""
    return InvalidRequestError(
        f"Invalid value for '{param}': {why}", param=param, code="invalid_value"
    )


def unsupported(param: str, why: str) -> InvalidRequestError:
    """Return the refusal of a value that the API knows and this server does not."""
    return InvalidRequestError(
        f"Unsupported value for '{param}': {why}", param=param, code="unsupported_value"
    )


def missing(param: str) -> InvalidRequestError:
    """Return the refusal of a request that lacks a field."""
    return InvalidRequestError(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def one_of(value: str, supported: Sequence[TextT], param: str) -> TextT:
    """Return the one of those supported, two at least, that a value is.

    Raises:
        InvalidRequestError: It is none; the message lists them.
    """
    for name in supported:
        if value == name:
            return name
    *others, last = (f"'{name}'" for name in supported)
    raise invalid(param, f"{shown(value)}. Supported values are {', '.join(others)} and {last}.")


def check_name(name: str, param: str) -> None:
    """Refuse what may not be the name of a function or a schema.

    Raises:
        InvalidRequestError: It may not.
    """
    if not NAME.fullmatch(name):
        raise invalid(
            param, f"{shown(name)}. Expected 1 to 64 letters, digits, underscores and dashes."
        )
