"""Model folders on disk: which kind they are, and what is wrong with a broken one."""

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any


class ArtifactError(Exception):
    """A model folder cannot be served; the message names the file and what is wrong."""


class Kind(Enum):
    """What a model folder holds, by the files that its tools write."""

    SENTENCE_TRANSFORMERS = "an embedding model (modules.json)"
    GENAI = "a chat model (genai_config.json)"
    TRANSFORMERS = "a transformers model (config.json)"


_MARKS = {
    "modules.json": Kind.SENTENCE_TRANSFORMERS,
    "genai_config.json": Kind.GENAI,
    "config.json": Kind.TRANSFORMERS,
}


def detect_kind(folder: Path) -> Kind:
    """Return what the folder holds.

    Raises:
        ArtifactError: There is no such folder, or it is none that a service knows.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: there is no such folder")
    for name, kind in _MARKS.items():
        if (folder / name).is_file():
            return kind
    raise ArtifactError(f"{folder}: no model folder: it has none of {', '.join(_MARKS)}")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        ArtifactError: The file is missing, cannot be read, or holds something else.
    """
    value = _parse(path)
    if not isinstance(value, dict):
        raise ArtifactError(f"{path}: should hold a JSON object")
    return value


def read_json_list(path: Path) -> list[Any]:
    """Return the list in a JSON file; raises as `read_json`."""
    value = _parse(path)
    if not isinstance(value, list):
        raise ArtifactError(f"{path}: should hold a JSON list")
    return value


def read_optional_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, or an empty one where there is no file."""
    return read_json(path) if path.exists() else {}


def get_int(values: Mapping[str, Any], name: str, path: Path) -> int | None:
    """Return a whole number of a JSON object, or None where it has none.

    Raises:
        ArtifactError: The value is something else.
    """
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArtifactError(f"{path}: '{name}' should be a whole number, not {value!r}")
    return value


def written_at(folder: Path) -> int:
    """Return when the folder was written, in seconds since 1970."""
    return int(folder.stat().st_mtime)


def _parse(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read as JSON: {error}") from None
