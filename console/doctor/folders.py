"""Whether the model folders are there, readable and whole; nothing is loaded."""

import os
from collections.abc import Iterator
from pathlib import Path

from console.doctor.finding import Finding, Verdict
from models.folder import STAMP
from services.runtime.artifacts import ArtifactError, detect_kind, read_optional_json
from services.runtime.config import Settings

REMEDY = "make models prepares those that ship; others belong there as they were exported"


def model_folders(settings: Settings) -> Iterator[Finding]:
    """Tell for each model of the settings how its folder is."""
    for family, section in settings.services.items():
        for model in section.models:
            subject = f"{family} {model.id}"
            try:
                yield Finding(subject, Verdict.OK, _look(model.folder))
            except ArtifactError as error:
                yield Finding(subject, Verdict.MISSING, str(error), REMEDY)


def _look(folder: Path) -> str:
    """Return what the folder holds.

    Raises:
        ArtifactError: It cannot be served.
    """
    kind = detect_kind(folder)
    for name, size_bytes in read_optional_json(folder / STAMP).get("bytes", {}).items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size_bytes:
            raise ArtifactError(f"{file}: is not the file that was prepared")
    files = [path for path in folder.rglob("*") if path.is_file()]
    for file in files:
        if not os.access(file, os.R_OK):
            raise ArtifactError(f"{file}: may not be read")
    if not any(file.suffix == ".onnx" for file in files):
        raise ArtifactError(f"{folder}: holds no ONNX graph")
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    return f"{kind.value}, {megabytes:.0f} MB, {folder}"
