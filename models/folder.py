"""Model folders written whole or not at all; knows nothing of what the files mean.

A finished folder holds a stamp, `export.json`: what it was made from, and the size of each file.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

STAMP = "export.json"


def is_complete(folder: Path, origin: dict[str, str]) -> bool:
    """Whether the folder was made from this origin and every file still has its size."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
        sizes: dict[str, int] = stamp["bytes"]
        return bool(stamp["origin"] == origin) and all(
            (folder / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def written_whole(folder: Path, origin: dict[str, str]) -> Iterator[Path]:
    """Lend an empty folder to fill; it takes the place of `folder` only if nothing was raised.

    A reader finds the old folder, nothing (for the instant between two renames), or the new one
    complete. Two writers of one folder at the same moment are not foreseen: one may fail.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as rooms:
        fresh, stale = Path(rooms, "fresh"), Path(rooms, "stale")
        fresh.mkdir()
        yield fresh
        files = sorted(path for path in fresh.rglob("*") if path.is_file())
        sizes = {path.relative_to(fresh).as_posix(): path.stat().st_size for path in files}
        stamp = {"origin": origin, "bytes": sizes}
        (fresh / STAMP).write_text(json.dumps(stamp, indent=2) + "\n")
        if folder.exists():
            folder.rename(stale)
        fresh.rename(folder)
        shutil.rmtree(stale, ignore_errors=True)
