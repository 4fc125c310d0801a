"""What started processes get from us."""

from pathlib import Path

import pytest

from console.config import child_environment, overridden
from services.runtime.config import Settings


def test_overrides_stand_above_the_settings(settings: Settings) -> None:
    changed = overridden(settings, {("gateway", "port"): 1, ("embeddings", "port"): 2})

    assert (changed.gateway.port, changed.gateway.admin_port) == (1, 9901)
    assert changed.services["embeddings"].port == 2
    assert settings.gateway.port == 8080


def test_a_child_inherits_the_environment_and_reads_the_same_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANYTHING", "inherited")

    environment = child_environment(Path("/etc/mesh.toml"), {("log", "format"): "console"})

    assert environment["ANYTHING"] == "inherited"
    assert environment["SWITCHBOARD_CONFIG"] == "/etc/mesh.toml"
    assert environment["SWITCHBOARD_LOG__FORMAT"] == "console"
