"""Envoy takes the bootstrap, without a word."""

import subprocess
from pathlib import Path

from gateway.bootstrap import render
from services.runtime.config import Settings


def test_envoy_takes_the_bootstrap_without_a_warning(envoy: Path, tmp_path: Path) -> None:
    path = tmp_path / "envoy.json"
    path.write_text(render(Settings(embeddings={"host": "embeddings.mesh.svc", "port": 50054})))

    checked = subprocess.run(
        [envoy, "--mode", "validate", "--config-path", path, "--log-level", "warning"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0
    assert checked.stderr == ""
