"""The content of a message: a text, or parts that are texts.

Source: https://platform.openai.com/docs/api-reference/chat/create (content parts)
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from services.chat.rest.mistakes import invalid, missing
from services.runtime import rest
from services.runtime.errors import InvalidRequestError, shown

Content: TypeAlias = str | list[dict[str, Any]]


class TextPart(msgspec.Struct):
    """A part of a content."""

    text: str


class RefusalPart(msgspec.Struct):
    """A part of what an assistant said."""

    refusal: str


def check_parts(parts: Sequence[dict[str, Any]], place: str) -> None:
    """Refuse parts that are no texts.

    Raises:
        InvalidRequestError: One is none; `param` is its place. Or there are none at all.
    """
    if not parts:
        raise invalid(place, "expected a text, or at least one part.")
    for index, part in enumerate(parts):
        at = f"{place}[{index}]"
        match part.get("type"):
            case None:
                raise missing(f"{at}.type")
            case "text":
                rest.convert_value(part, TextPart, at)
            case "refusal":
                rest.convert_value(part, RefusalPart, at)
            case kind:
                raise not_text(at, kind)


def not_text(place: str, kind: object) -> InvalidRequestError:
    """Return the refusal of what a model that reads text cannot read."""
    return invalid(place, f"this model reads text only, not {shown(kind)}.")
