"""Where the Envoy binary is, for a mesh on one machine; in Kubernetes Envoy has its own image."""

import shutil
import sys
from pathlib import Path


def find_envoy() -> Path | None:
    """Return the `envoy` of this environment, or else the one on the PATH, or None.

    The environment's own comes first: its version is the one that the tests ran against.
    """
    own = shutil.which("envoy", path=str(Path(sys.executable).parent))
    found = own or shutil.which("envoy")
    return Path(found).absolute() if found else None
