"""Callers' JSON schemas, made fit for the compiler.

What would overwhelm llguidance is refused here: it follows references and intersects patterns
without a limit of its own. What else is wrong with a schema, it says itself.

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
"""

from typing import Any
from urllib.parse import quote

from services.chat.engine.grammars.keywords import (
    ANNOTATIONS,
    PATTERNS,
    checked,
    simplified,
    without,
)
from services.chat.engine.grammars.references import check_references
from services.chat.engine.grammars.subschemas import Schema, all_schemas, rebuilt
from services.chat.engine.grammars.unfit import UnfitError

MAX_SCHEMAS = 5000
"""Of one schema, all that stand within it."""
MAX_PATTERNS = 8
"""Patterns and formats where schemas are combined: a text may have to fulfil all at once, which
takes twice the time for each."""

WHITE_SPACE = r" |\r?\n[ \t]{0,32}"
"""Between the parts of a JSON text: none, one space, or a line break with an indentation."""

_IN_PLACE = {"$ref", "anyOf", "oneOf", "allOf", "patternProperties"}


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
    if not isinstance(schema, dict) and schema is not True:
        raise UnfitError("a schema is an object or a boolean.")
    fit: Schema = rebuilt({} if schema is True else schema, checked if is_strict else simplified)
    if sum(1 for _ in all_schemas(fit)) > MAX_SCHEMAS:
        raise UnfitError(f"it holds more than {MAX_SCHEMAS} schemas.")
    if _may_explode(fit):
        if is_strict:
            raise UnfitError(
                f"it combines schemas, and has more than {MAX_PATTERNS} patterns and formats."
            )
        fit = rebuilt(fit, lambda part: without(part, PATTERNS))
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


def _may_explode(schema: Schema) -> bool:
    """Return whether one text may have to fulfil too many patterns."""
    patterns = set[str]()
    together = 1
    for part in all_schemas(schema):
        patterns |= {f"{key} {part[key]}" for key in PATTERNS & part.keys()}
        together += _combined(part)
    return min(len(patterns), together) > MAX_PATTERNS


def _combined(part: Schema) -> int:
    """Return how many schemas a value has to fulfil beside a schema's own keywords."""
    applied = _IN_PLACE & part.keys()
    count = len(applied - {"allOf"}) + len(part.get("allOf", ()))
    stands_alone = count == 1 and not part.keys() - ANNOTATIONS - applied - {"type"}
    return 0 if stands_alone else count
