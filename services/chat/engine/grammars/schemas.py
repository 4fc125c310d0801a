"""Callers' JSON schemas, made fit for the compiler.

What would overwhelm llguidance is refused here: it follows references and intersects patterns
without a limit of its own. What else is wrong with a schema, it says itself.

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from services.chat.engine.grammars.references import check_references
from services.chat.engine.grammars.subschemas import Schema, all_schemas, rebuilt
from services.chat.engine.grammars.unfit import UnfitError
from services.runtime.errors import shown

MAX_SCHEMAS = 5000
"""Of one schema, all that stand within it."""
MAX_PROPERTIES = 1000
"""Of one object: what a token costs grows with the properties that may come next."""
MAX_PATTERNS = 8
"""Patterns and formats where schemas are combined: a text may have to fulfil all at once, which
takes twice the time for each."""

WHITE_SPACE = r" |\r?\n[ \t]{0,32}"
"""Between the parts of a JSON text: none, one space, or a line break with an indentation."""

_NAMES = ("$id", "id", "$anchor")
"""Names of schemas within documents: references go by place here."""
_PATTERNS = ("pattern", "format")
_BEYOND = re.compile(r"\(\?<?[=!]|\\[1-9bB]")
"""What JavaScript's patterns have and llguidance's lack: what stands around, what came before."""
_SHAPES = {
    "type": str | list,
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), dict),
    **dict.fromkeys(("required", "enum", "allOf", "anyOf", "oneOf", "prefixItems"), list),
}
_IN_WORDS = {str | list: "a name or a list of names", dict: "an object", list: "a list"}
ANNOTATIONS = {"$comment", "$defs", "$schema", "default", "definitions", "deprecated"} | {
    "description",
    "examples",
    "nullable",
    "readOnly",
    "title",
    "writeOnly",
}
"""Keywords that restrain nothing; `nullable` is OpenAPI's, and means nothing here."""


def fit_schema(schema: Any, *, is_strict: bool) -> Schema:
    """Return a schema for llguidance.

    Args:
        schema: The caller's.
        is_strict: Whether it has to be kept in every keyword; else what cannot be is left out.

    Raises:
        UnfitError: It is no schema, it is too large, or no value fulfils it.
    """
    if schema is False:
        raise UnfitError("no value fulfils it.")
    if schema is True:
        schema = {}
    if not isinstance(schema, dict):
        raise UnfitError("a schema is an object or a boolean.")
    fit: Schema = rebuilt(schema, _checked if is_strict else _simplified)
    if sum(1 for _ in all_schemas(fit)) > MAX_SCHEMAS:
        raise UnfitError(f"it holds more than {MAX_SCHEMAS} schemas.")
    if _may_explode(fit):
        if is_strict:
            raise UnfitError(
                f"it combines schemas, and has more than {MAX_PATTERNS} patterns and formats."
            )
        fit = rebuilt(fit, lambda part: _without(part, _PATTERNS))
    check_references(fit)
    fit["x-guidance"] = {"whitespace_pattern": WHITE_SPACE, "lenient": not is_strict}
    return fit


def located(schema: Schema, name: str) -> Schema:
    """Return the schema of a property, which may refer to what stands around it."""
    whole: Schema = rebuilt(schema, _moved)
    options = whole.pop("x-guidance")
    place = quote(name.replace("~", "~0").replace("/", "~1"), safe="")
    return {
        "$ref": f"#/$defs/whole/properties/{place}",
        "$defs": {"whole": whole},
        "x-guidance": options,
    }


def _moved(part: Schema) -> Schema:
    """Return a schema of a document that now stands within another one."""
    if isinstance(ref := part.get("$ref"), str):
        part["$ref"] = ref.replace("#", "#/$defs/whole", 1)
    return part


def _cleaned(part: Schema) -> Schema:
    for key, shape in _SHAPES.items():
        if key in part and not isinstance(part[key], shape):
            raise UnfitError(f"'{key}' should be {_IN_WORDS[shape]}.")
    for key in ("type", "required"):
        if not all(isinstance(name, str) for name in part.get(key, ())):
            raise UnfitError(f"'{key}' should hold names.")
    for key in ("properties", "patternProperties"):
        if (count := len(part.get(key, ()))) > MAX_PROPERTIES:
            raise UnfitError(f"an object has {count} properties; the most is {MAX_PROPERTIES}.")
    return _without(part, (*_NAMES, "x-guidance"))


def _checked(part: Schema) -> Schema:
    part = _cleaned(part)
    for pattern in [str(part.get("pattern")), *part.get("patternProperties", ())]:
        if _BEYOND.search(pattern):
            raise UnfitError(
                f"the pattern {shown(pattern)} looks around or back, which cannot be enforced;"
                " change it, or leave out 'strict'."
            )
    return part


def _simplified(part: Schema) -> Schema:
    """Return a schema without patterns that no grammar can follow."""
    part = _cleaned(part)
    if _BEYOND.search(str(part.get("pattern"))):
        del part["pattern"]
    if held := part.get("patternProperties"):
        part["patternProperties"] = {
            name: value for name, value in held.items() if not _BEYOND.search(name)
        }
    return part


def _without(part: Schema, keys: Sequence[str]) -> Schema:
    return {key: value for key, value in part.items() if key not in keys}


def _may_explode(schema: Schema) -> bool:
    """Return whether one text may have to fulfil too many patterns."""
    patterns = set[str]()
    together = 1
    for part in all_schemas(schema):
        patterns |= {f"{key} {part[key]}" for key in _PATTERNS if key in part}
        together += _combined(part)
    return min(len(patterns), together) > MAX_PATTERNS


def _combined(part: Schema) -> int:
    """Return how many schemas have to be fulfilled beside a schema's own keywords."""
    beside = len(part.get("allOf", ())) + sum(
        key in part for key in ("$ref", "anyOf", "oneOf", "patternProperties")
    )
    return beside if beside > 1 or part.keys() - ANNOTATIONS - _IN_PLACE else 0


_IN_PLACE = {"allOf", "anyOf", "oneOf", "$ref", "type"}
