"""What calls are held to where nobody asks for `strict`: the tools as they were meant.

Source: https://json-schema.org/draft/2020-12/json-schema-core (10.3.2.3: objects are open)
"""

from dataclasses import replace

from services.chat.engine.conversation import Tool
from services.chat.engine.grammars.subschemas import Schema, all_schemas, rebuilt
from services.chat.engine.grammars.unfit import UnfitError

_COMBINING = {"anyOf", "oneOf", "$ref"}
_OF_OBJECTS = {"properties", "required"}


def closed(tool: Tool) -> Tool:
    """Return a tool whose objects have no keys but those that its schema names.

    A strict tool, a schema that is none, and one that combines schemas (each may name keys of the
    other) come back as they are.
    """
    if tool.strict:
        return tool
    shown = tool.definition["function"]["parameters"]
    try:
        parameters = rebuilt(dict(shown), _closed)
    except UnfitError:
        return tool
    if any(map(_combines, all_schemas(parameters))):
        return tool
    return replace(tool, parameters=parameters)


def opened(tool: Tool) -> Tool:
    """Return a tool whose arguments may be any object."""
    return replace(tool, parameters=None)


def _combines(part: Schema) -> bool:
    """Return whether an object may have to fulfil more than one schema."""
    combined = _COMBINING & part.keys()
    return "allOf" in part or (bool(combined) and bool(_OF_OBJECTS & part.keys()))


def _closed(part: Schema) -> Schema:
    properties, required = part.get("properties"), part.get("required") or []
    if (
        isinstance(properties, dict)
        and isinstance(required, list)
        and all(key in properties for key in required)
        and not {"additionalProperties", "patternProperties"} & part.keys()
    ):
        part["additionalProperties"] = False
    return part
