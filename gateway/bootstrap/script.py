"""The Lua script of the gateway: the endpoints as a table, then the files of `gateway/lua`."""

import importlib.resources
import re
from collections.abc import Sequence

from gateway.endpoints import Endpoint, path_pattern

FILES = ("distance.lua", "wrong_door.lua", "error_shape.lua", "filter.lua")
"""In this order: a Lua function must stand before its use."""


def script(known: Sequence[Endpoint]) -> str:
    """Return the whole script."""
    folder = importlib.resources.files("gateway") / "lua"
    return "\n".join([_table(known), *((folder / name).read_text("utf-8") for name in FILES)])


def _table(known: Sequence[Endpoint]) -> str:
    rows = "".join(
        f'  {{ method = "{endpoint.method}", path = "{endpoint.path}", '
        f'template = "{endpoint.template}", pattern = "{_pattern(endpoint.template)}" }},\n'
        for endpoint in known
    )
    return f"local ENDPOINTS = {{\n{rows}}}\n"


def _pattern(template: str) -> str:
    return f"^{path_pattern(template, _escape)}$"


def _escape(text: str) -> str:
    return re.sub(r"([^\w/])", r"%\1", text)
