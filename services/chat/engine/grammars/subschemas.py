"""Where a JSON schema holds other schemas.

Source: https://json-schema.org/draft/2020-12/json-schema-core (applicators)
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from services.chat.engine.grammars.unfit import UnfitError

MAX_NESTING = 48
"""Schemas within schemas; llguidance reads JSON up to 128 deep, two for each."""

_IN_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_IN_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_ALONE = ("items", "additionalItems", "additionalProperties")

Schema = dict[str, Any]


def rebuilt(schema: Any, change: Callable[[Schema], Schema], nesting: int = 0) -> Any:
    """Return a copy of a schema in which it and every schema within it is changed.

    Args:
        schema: What is no object comes back as it is.
        change: Gets a copy whose own subschemas are changed already.
        nesting: In how many schemas this one stands.

    Raises:
        UnfitError: It is nested too deeply.
    """
    if nesting > MAX_NESTING:
        raise UnfitError(f"schemas are nested more than {MAX_NESTING} deep.")
    if not isinstance(schema, dict):
        return schema
    copy = dict(schema)
    for key in _IN_MAPS:
        if isinstance(held := copy.get(key), dict):
            copy[key] = {name: rebuilt(value, change, nesting + 1) for name, value in held.items()}
    for key in _IN_LISTS:
        if isinstance(held := copy.get(key), list):
            copy[key] = [rebuilt(value, change, nesting + 1) for value in held]
    for key in _ALONE:
        if isinstance(held := copy.get(key), dict):
            copy[key] = rebuilt(held, change, nesting + 1)
    return change(copy)


def subschemas(schema: Schema) -> Iterator[Schema]:
    """Yield the schemas that stand right within one; those that are booleans are left out."""
    maps = (schema[key].values() for key in _IN_MAPS if isinstance(schema.get(key), dict))
    lists = (schema[key] for key in _IN_LISTS if isinstance(schema.get(key), list))
    alone = (schema[key] for key in _ALONE if isinstance(schema.get(key), dict))
    held = chain(chain.from_iterable(maps), chain.from_iterable(lists), alone)
    return (each for each in held if isinstance(each, dict))


def all_schemas(schema: Schema) -> Iterator[Schema]:
    """Yield a schema and all that stand within it."""
    yield schema
    for each in subschemas(schema):
        yield from all_schemas(each)


def height(schema: Schema) -> int:
    """Return how many schemas stand within one another, at the most."""
    return 1 + max(map(height, subschemas(schema)), default=0)
