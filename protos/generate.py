"""Compiles every proto into Python stubs, type hints and the descriptor set that Envoy reads.

Run by the build of the wheel (hatch_build.py); it knows nothing of the users of the result.
"""

import importlib.resources
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

DESCRIPTORS = "descriptors.pb"
"""Name of the descriptor set inside the generated package."""


def generate(protos: Path, target: Path) -> None:
    """Write the package `switchboard` below `target`, replacing an older one.

    Args:
        protos: The folder that holds `switchboard/<area>/v1/*.proto`.
        target: The folder to import from, such as `build/gen`.

    Raises:
        RuntimeError: protoc refused a file; its own message is on stderr.
    """
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "switchboard"
        package.mkdir()
        _run_protoc(protos, Path(scratch), sources)
        for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
            (folder / "__init__.py").touch()
        (package / "py.typed").touch()
        shutil.rmtree(target / "switchboard", ignore_errors=True)
        shutil.copytree(package, target / "switchboard")


def _run_protoc(protos: Path, out: Path, sources: list[str]) -> None:
    """Run protoc with every plugin; the descriptor set carries its imports and comments."""
    google = importlib.resources.files("grpc_tools") / "_proto"
    imported = importlib.resources.files("google.api") / ".." / ".."
    arguments = [
        "protoc",
        f"-I{protos}",
        f"-I{google}",
        f"-I{imported}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out={out}",
        f"--mypy_grpc_out={out}",
        f"--descriptor_set_out={out / 'switchboard' / DESCRIPTORS}",
        "--include_imports",
        "--include_source_info",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        message = f"protoc failed on the files in {protos}"
        raise RuntimeError(message)


if __name__ == "__main__":
    generate(Path(sys.argv[1]), Path(sys.argv[2]))
