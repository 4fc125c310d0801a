"""Build hook: a wheel or an editable install generates the gRPC stubs by itself."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles `protos/` into `build/gen` before the files of the wheel are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate the package `switchboard`, wherever pip unpacked the checkout."""
        root = Path(self.root)
        # protoc finds its plugins on PATH; in an isolated build they lie beside the interpreter.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        spec = importlib.util.spec_from_file_location("generate", root / "protos" / "generate.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.generate(root / "protos", root / "build" / "gen")
