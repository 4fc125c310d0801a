"""The keywords of one JSON schema: their shapes, their bounds, and patterns that are too much.

Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

import re
from collections.abc import Collection
from typing import Any

from services.chat.engine.grammars.subschemas import Schema
from services.chat.engine.grammars.unfit import UnfitError
from services.runtime.errors import shown

_MOST = {
    "properties": 1000,  # a token's time grows with the properties that may come next
    "patternProperties": 32,  # all pairs are compared
}
_SHAPES: dict[str, Any] = {
    "type": str | list,
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), dict),
    **dict.fromkeys(("required", "enum", "allOf", "anyOf", "oneOf", "prefixItems"), list),
}
_IN_WORDS = {str | list: "a name or a list of names", dict: "an object", list: "a list"}

_NAMES = {"$id", "id", "$anchor"}
"""Names of schemas within documents: references go by place here."""
_FOR_COMPILER = {"x-guidance"}

PATTERNS = {"pattern", "format"}
_BEYOND = re.compile(r"\(\?<?[=!]|\\[1-9bB]")
"""What JavaScript's patterns have and llguidance's lack: what stands around, what came before."""

ANNOTATIONS = {"$comment", "$defs", "$schema", "default", "definitions", "deprecated"} | {
    "description",
    "examples",
    "nullable",
    "readOnly",
    "title",
    "writeOnly",
}
"""Keywords that restrain nothing; `nullable` is OpenAPI's, and means nothing here."""


def without(part: Schema, keys: Collection[str]) -> Schema:
    """Return a schema without certain keywords."""
    return {key: value for key, value in part.items() if key not in keys}


def checked(part: Schema) -> Schema:
    """Return a schema that has to be kept in every keyword.

    Raises:
        UnfitError: A keyword has a wrong shape, is out of bounds, or cannot be enforced.
    """
    part = _cleaned(part)
    for pattern in (*filter(None, [part.get("pattern")]), *part.get("patternProperties", ())):
        if _is_beyond(pattern):
            raise UnfitError(
                f"the pattern {shown(pattern)} looks around or back, which cannot be enforced;"
                " change it, or leave out 'strict'."
            )
    return part


def simplified(part: Schema) -> Schema:
    """Return a schema without patterns that no grammar can follow.

    Raises:
        UnfitError: A keyword has a wrong shape, or is out of bounds.
    """
    part = _cleaned(part)
    if _is_beyond(part.get("pattern")):
        del part["pattern"]
    if held := part.get("patternProperties"):
        part["patternProperties"] = without(held, [*filter(_is_beyond, held)])
    return part


def _is_beyond(pattern: Any) -> bool:
    return _BEYOND.search(str(pattern)) is not None


def _cleaned(part: Schema) -> Schema:
    for key, shape in _SHAPES.items():
        if key in part and not isinstance(part[key], shape):
            raise UnfitError(f"'{key}' should be {_IN_WORDS[shape]}.")
    for key in ("type", "required"):
        if not all(isinstance(name, str) for name in part.get(key, ())):
            raise UnfitError(f"'{key}' should hold names.")
    for key, most in _MOST.items():
        if (count := len(part.get(key, ()))) > most:
            raise UnfitError(f"'{key}' holds {count} schemas; the most is {most}.")
    return without(part, _NAMES | _FOR_COMPILER)
