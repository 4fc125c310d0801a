"""Where the references of a JSON schema lead: to schemas, not too deep, and to an end.

Source: https://json-schema.org/draft/2020-12/json-schema-core (8.2.3.1);
https://www.rfc-editor.org/rfc/rfc6901 (JSON pointers)
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from services.chat.engine.grammars.subschemas import Schema, all_schemas, height
from services.chat.engine.grammars.unfit import UnfitError
from services.runtime.errors import shown

MAX_LEVELS = 600
"""Of all schemas that are referred to, each counted once: llguidance follows references by
recursion, and 8 MiB of stack end at some 1,800."""

_ROUNDS = 10

References = dict[str, Any]
"""What each `$ref` refers to."""


def check_references(root: Schema) -> None:
    """Check that all references lead somewhere.

    Raises:
        UnfitError: One leads nowhere, all together lead too deep, or they go round without end.
    """
    schemas = list(all_schemas(root))
    known = {id(schema) for schema in schemas}
    references: References = {}
    for ref in [schema["$ref"] for schema in schemas if isinstance(schema.get("$ref"), str)]:
        target = _try_resolve(root, ref)
        if id(target) not in known and not isinstance(target, bool):
            raise UnfitError(f"there is no schema at {shown(ref)}; references begin with '#/'.")
        references[ref] = target
    targets = {id(each): each for each in references.values() if isinstance(each, dict)}
    if len(targets) > MAX_LEVELS or sum(map(height, [root, *targets.values()])) > MAX_LEVELS:
        raise UnfitError("its references lead too deep.")
    if not _has_end(root, references, [*targets.values()]):
        raise UnfitError("it refers to itself without end: no value is finite.")


def _try_resolve(root: Schema, ref: str) -> Any:
    """Return what stands at a place; None where that is nothing."""
    if ref != "#" and not ref.startswith("#/"):
        return None
    place: Any = root
    for step in ref.split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        match place:
            case dict() if name in place:
                place = place[name]
            case list() if name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            case _:
                return None
    return place


def _has_end(root: Schema, references: References, targets: Sequence[Schema]) -> bool:
    """Return whether a finite value may fulfil a schema, or that takes too long to find out.

    At first no target is known to have an end; then those that need no other, then those that need
    only these, and so on. What is referred to last often needs the least.
    """
    ended = set[int]()
    for _ in range(_ROUNDS):
        before = len(ended)
        for target in reversed(targets):
            if id(target) not in ended and _ends(target, references, ended):
                ended.add(id(target))
        if len(ended) == before:
            return _ends(root, references, ended)
    return True


def _ends(schema: Any, references: References, ended: set[int]) -> bool:
    """Return whether a finite value may fulfil a schema, by what is known of the targets."""
    if not isinstance(schema, dict) or "const" in schema or "enum" in schema:
        return True
    target = references.get(str(schema.get("$ref")))
    if isinstance(target, dict) and id(target) not in ended:
        return False
    if not all(_ends(each, references, ended) for each in schema.get("allOf", ())):
        return False
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if choices and not any(_ends(each, references, ended) for each in choices):
            return False
    return all(_ends(each, references, ended) for each in _needed(schema))


def _needed(schema: Schema) -> Iterable[Any]:
    """Return the schemas of what no value can be without."""
    match schema.get("type"):
        case "object" | ["object"]:
            properties = schema.get("properties", {})
            return [properties[name] for name in schema.get("required", ()) if name in properties]
        case "array" | ["array"] if isinstance(least := schema.get("minItems", 0), int):
            first = schema.get("prefixItems", [])[:least]
            return [*first, schema.get("items")] if least > len(first) else first
    return []
