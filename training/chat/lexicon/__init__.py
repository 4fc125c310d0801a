"""The words that dialogues are made of, by kind, and the phrases around them."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@cache
def read(name: str) -> dict[str, Any]:
    """Return a table of this folder."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def words(kind: str, table: str = "words") -> tuple[str, ...]:
    """Return the words of a kind, each once, in the order of the table."""
    return tuple(dict.fromkeys(read(table)[kind].split()))


@cache
def phrases(name: str) -> dict[str, tuple[str, ...]]:
    """Return the lists of patterns of a table by what they are for."""
    table = read(f"phrases/{name}").items()
    lists = {key: tuple(told) for key, told in table if isinstance(told, list)}
    return {key: told for key, told in lists.items() if all(isinstance(each, str) for each in told)}


@cache
def rows(name: str, key: str) -> tuple[tuple[str, ...], ...]:
    """Return a list of a table whose entries are lists themselves."""
    return tuple(tuple(row) for row in read(f"phrases/{name}")[key])


@cache
def vocabulary() -> tuple[str, ...]:
    """Return the words of every kind, and common ones of none."""
    kinds = [(kind, table) for table in ("words", "common") for kind in read(table)]
    return tuple(dict.fromkeys(word for kind, table in kinds for word in words(kind, table)))
