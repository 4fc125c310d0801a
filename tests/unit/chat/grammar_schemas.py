"""JSON schemas as callers write them, and whether values fulfil them: the slow oracle."""

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}


def fulfils(value: Any, schema: Any, root: Any = None) -> bool:
    """Return whether a value fulfils a schema, as far as `schemas` writes them."""
    root = schema if root is None else root
    if isinstance(schema, bool):
        return schema
    checks = {
        "$ref": lambda ref: fulfils(value, _resolved(root, ref), root),
        "type": lambda types: any(
            _is(value, each) for each in ([types] if isinstance(types, str) else types)
        ),
        "enum": lambda values: any(_same(value, each) for each in values),
        "const": lambda const: _same(value, const),
        "anyOf": lambda parts: any(fulfils(value, part, root) for part in parts),
        "allOf": lambda parts: all(fulfils(value, part, root) for part in parts),
    }
    return all(check(schema[key]) for key, check in checks.items() if key in schema) and (
        _fulfils_by_kind(value, schema, root)
    )


def _fulfils_by_kind(value: Any, schema: Schema, root: Any) -> bool:
    match value:
        case str():
            return _in_range(len(value), schema, "minLength", "maxLength") and bool(
                re.search(schema.get("pattern", ""), value)
            )
        case bool() | None:
            return True
        case int() | float():
            return _in_range(value, schema, "minimum", "maximum")
        case list():
            first = schema.get("prefixItems", [])
            kinds = [*first, *[schema.get("items", True)] * (len(value) - len(first))]
            return _in_range(len(value), schema, "minItems", "maxItems") and all(
                fulfils(item, kind, root) for item, kind in zip(value, kinds, strict=False)
            )
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    return all(name in value for name in schema.get("required", ())) and all(
        fulfils(item, properties.get(name, others), root) for name, item in value.items()
    )


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return _is(value, "number") and value == int(value)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _in_range(value: float, schema: Schema, least: str, most: str) -> bool:
    return schema.get(least, value) <= value <= schema.get(most, value)


def _resolved(root: Any, ref: str) -> Any:
    place = root
    for step in ref.removeprefix("#").split("/")[1:]:
        place = place[step]
    return place


NAMES = st.sampled_from(["a", "b b", "größe", "d\"'\\", "😀"])
"""Of properties."""

TEXTS = st.sampled_from(["", "yes", "no\n", "naïve", 'quo"ted\\', "</tool_call>", "👩‍🚀"])


def _bounded(low: str, high: str, most: int, **schema: Any) -> st.SearchStrategy[Schema]:
    def write(bounds: list[int | None]) -> Schema:
        least, greatest = bounds
        kept = {} if least is None else {low: least}
        return schema | kept | ({} if greatest is None else {high: greatest})

    numbers = st.none() | st.integers(0, most)
    return st.tuples(numbers, numbers).map(
        lambda pair: write(sorted(pair) if None not in pair else [*pair])
    )


def _objects(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    def write(properties: dict[str, Any], required: set[str], others: Any) -> Schema:
        names = [name for name in properties if name in required]
        schema = {"type": "object", "properties": properties, "required": names}
        return schema if others is None else schema | {"additionalProperties": others}

    others = st.none() | st.booleans() | st.just({"type": "integer"})
    return st.builds(write, st.dictionaries(NAMES, parts, max_size=4), st.sets(NAMES), others)


def _arrays(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    return st.builds(
        lambda bounds, items: bounds | {"items": items},
        _bounded("minItems", "maxItems", 4, type="array"),
        parts,
    )


_LEAVES = st.one_of(
    st.sampled_from([{}, True]),
    st.sampled_from(["null", "boolean", "integer", "number", "string"]).map(lambda t: {"type": t}),
    st.just({"type": ["string", "null"]}),
    _bounded("minLength", "maxLength", 12, type="string"),
    _bounded("minimum", "maximum", 1000, type="integer"),
    st.sampled_from(["^[a-z]{2,5}$", "\\d+", "é|x"]).map(
        lambda pattern: {"type": "string", "pattern": pattern}
    ),
    st.lists(TEXTS | st.sampled_from([1, 2.5, None, True, [1, "x"], {"k": 1}]), min_size=1).map(
        lambda values: {"enum": values}
    ),
    TEXTS.map(lambda text: {"const": text}),
)

schemas = st.recursive(
    _LEAVES,
    lambda parts: st.one_of(
        _objects(parts),
        _arrays(parts),
        st.lists(parts, min_size=1, max_size=3).map(lambda choices: {"anyOf": choices}),
    ),
    max_leaves=8,
)
"""Schemas of all kinds that the oracle knows."""

objects = _objects(schemas)
"""Schemas of objects."""
