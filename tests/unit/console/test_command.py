"""The words of the command, without a mesh."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.__main__ import app, main

SETTINGS = """
[gateway]
port = {port}
[embeddings]
port = 50054
[[embeddings.models]]
id = "a/small"
folder = "small"
aliases = ["s"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    path = tmp_path / "mesh.toml"
    path.write_text(SETTINGS.format(port=port))
    return path


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert result.exit_code == 0
    assert result.stdout.startswith("switchboard 0.")


def test_without_a_mesh_the_models_of_the_settings_are_listed_and_the_status_is_1(
    config: Path,
) -> None:
    result = CliRunner().invoke(app, ["models", "list", "--config", str(config)])

    assert result.exit_code == 1
    assert "does not answer (Connection refused)" in result.stderr
    assert "a/small" in result.stdout
    assert "unavailable" in result.stdout


def test_scripts_get_json_and_nothing_else(config: Path) -> None:
    result = CliRunner().invoke(app, ["models", "list", "--json", "--config", str(config)])

    [model] = json.loads(result.stdout)
    assert (model["id"], model["aliases"]) == ("a/small", ["s"])
    assert model["endpoint"] == "POST /v1/embeddings"


def test_up_names_the_setting_of_a_port_in_use_and_starts_nothing(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        config.write_text(SETTINGS.format(port=taken))

        result = CliRunner().invoke(app, ["up", "--config", str(config)])

    assert result.exit_code == 1
    assert f"gateway.port: 127.0.0.1:{taken} is in use" in result.stderr
    assert "starting" not in result.stdout


def test_wrong_settings_end_the_command_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.toml"
    monkeypatch.setattr("sys.argv", ["switchboard", "up", "--config", str(absent)])

    with pytest.raises(SystemExit) as ending:
        main()

    assert ending.value.code == 2
    assert f"switchboard: {absent}: there is no such file" in capsys.readouterr().err
