"""Settings from a file and the environment, and what a wrong one hears."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.embeddings.config import EmbeddingsSettings
from services.runtime import config
from services.runtime.config import ConfigError

MODEL = '[[embeddings.models]]\nid = "a"\nfolder = "models/a"\n'


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Read settings from a text and variables, as the embeddings service does."""

    def read(text="[embeddings]\n", **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "switchboard.toml"
        path.write_text(text, encoding="utf-8")
        return config.load_service("embeddings", EmbeddingsSettings, path)

    return read


@pytest.fixture
def problem_of(load, tmp_path):
    def read(text="[embeddings]\n", **variables):
        with pytest.raises(ConfigError) as refused:
            load(text, **variables)
        return str(refused.value).replace(str(tmp_path / "switchboard.toml"), "FILE")

    return read


def test_the_defaults_are_enough(load):
    mesh, own = load()

    assert own.port == 50054
    assert own.models == ()
    assert mesh.gateway.port == 8080
    assert mesh.log.level == "info"
    assert list(mesh.services) == ["embeddings"]


def test_the_file_is_read(load):
    mesh, own = load(f"[gateway]\nport = 9000\n[embeddings]\nthreads = 3\n{MODEL}")

    assert mesh.gateway.port == 9000
    assert own.threads == 3
    assert own.models[0].names == ("a",)


def test_settings_cannot_be_changed(load):
    mesh, own = load()

    with pytest.raises(ValidationError, match="frozen"):
        own.port = 5
    with pytest.raises(ValidationError, match="frozen"):
        mesh.log = None


def test_a_variable_overrides_one_value_and_leaves_the_others(load):
    _, own = load(f"[embeddings]\nport = 1\nthreads = 3\n{MODEL}", SWITCHBOARD_EMBEDDINGS__PORT="2")

    assert (own.port, own.threads, len(own.models)) == (2, 3, 1)


def test_a_variable_reaches_a_table_that_the_file_does_not_have(load):
    mesh, _ = load(SWITCHBOARD_GATEWAY__CORS__ALLOW_ORIGINS='["https://a.example"]')

    assert mesh.gateway.cors.allow_origins == ("https://a.example",)


def test_model_folders_are_relative_to_the_file(load, tmp_path):
    _, own = load(MODEL + '[[embeddings.models]]\nid = "b"\nfolder = "/somewhere/b"\n')

    assert str(own.models[0].folder) == str(tmp_path / "models/a")
    assert str(own.models[1].folder) == "/somewhere/b"


def test_the_file_is_named_by_a_variable(tmp_path, monkeypatch):
    path = tmp_path / "other.toml"
    path.write_text("[embeddings]\nport = 7\n")
    monkeypatch.setenv(config.CONFIG_VARIABLE, str(path))

    _, own = config.load_service("embeddings", EmbeddingsSettings)

    assert own.port == 7


def test_a_missing_file_says_how_to_name_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        ConfigError, match=r"switchboard\.toml: there is no such file; name .*_CONF"
    ):
        config.load()


def test_the_others_look_past_the_keys_of_a_service(tmp_path):
    path = tmp_path / "switchboard.toml"
    path.write_text(f"[embeddings]\nthreads = 3\n{MODEL}max_tokens = 5\n")

    settings = config.load(path)

    assert settings.services["embeddings"].models[0].id == "a"


def test_a_disabled_service_is_none_of_the_mesh(tmp_path):
    path = tmp_path / "switchboard.toml"
    path.write_text(f"[chat]\nenabled = false\n[[chat.models]]\nid='a'\nfolder='x'\n{MODEL}")

    settings = config.load(path)

    assert list(settings.services) == ["embeddings"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = [", "FILE: "),
        ("", "FILE: embeddings: Field required"),
        ("embeddings = 5\n", "FILE: embeddings: Input should be a valid dictionary"),
        ("[embeddings]\nprot = 5\n", "FILE: embeddings.prot: Extra inputs are not permitted"),
        ("[embeddings]\n[embedings]\n", "FILE: embedings: Extra inputs are not permitted"),
        ("[embeddings]\n[gateway]\nx = 1\n", "FILE: gateway.x: Extra inputs are not permitted"),
        ("[embeddings]\nport = 'x'\n", "FILE: embeddings.port: Input should be a valid integer"),
        ("[embeddings]\nport = 70000\n", "less than or equal to 65535 (given: 70000)"),
        ("[embeddings]\nmax_padding = 1.5\n", "FILE: embeddings.max_padding: "),
        ("[embeddings]\nmodels = 5\n", "FILE: embeddings.models: Input should be a valid tuple"),
        ("[embeddings]\nmodels = [5]\n", "FILE: embeddings.models.0: "),
        (f"{MODEL}max_tokens = 0\n", "FILE: embeddings.models.0.max_tokens: "),
        (f"{MODEL}pooling = 'most'\n", "FILE: embeddings.models.0.pooling: "),
        (f"{MODEL}{MODEL}", "FILE: embeddings.models: the name 'a' is taken by embeddings model"),
        (f"{MODEL}aliases = ['b', 'b']\n", "the name 'b' is taken by embeddings model 'a'"),
        (
            f"{MODEL}[[chat.models]]\nid = 'c'\naliases = ['a']\nfolder = 'c'\n",
            "FILE: embeddings.models: the name 'a' is taken by chat model 'c'",
        ),
        (
            "[embeddings]\nmax_message_bytes = 65536\n",
            "FILE: embeddings.max_message_bytes (65536) should be at least gateway.max_body_bytes",
        ),
        ("[embeddings]\n[log]\nlevel = 'loud'\n", "FILE: log.level: Input should be 'debug'"),
    ],
)
def test_a_wrong_file_names_the_place(problem_of, text, told):
    assert told in problem_of(text)


def test_every_wrong_value_is_named_at_once(problem_of):
    problem = problem_of("[embeddings]\nport = 'x'\nnope = 1\n")

    assert problem.splitlines()[0].startswith("FILE: embeddings.port: ")
    assert problem.splitlines()[1].startswith("FILE: embeddings.nope: ")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SWITCHBOARD_EMBEDDINGS__PORT", "x", "environment: SWITCHBOARD_EMBEDDINGS__PORT: "),
        ("switchboard_embeddings__port", "x", "environment: switchboard_embeddings__port: "),
        ("SWITCHBOARD_EMBEDDINGS__PROT", "5", "environment: SWITCHBOARD_EMBEDDINGS__PROT: Extra"),
        ("SWITCHBOARD_EMBEDINGS__PORT", "5", "no section 'embedings'; there are log, gateway"),
        ("SWITCHBOARD_EMBEDDINGS", "5", "environment: SWITCHBOARD_EMBEDDINGS: Input should be"),
        ("SWITCHBOARD_EMBEDDINGS__MODELS", "[{", "JSON right in SWITCHBOARD_EMBEDDINGS__MODELS?"),
        (
            "SWITCHBOARD_EMBEDDINGS__MODELS",
            '[{"id": ""}]',
            "environment: SWITCHBOARD_EMBEDDINGS__MODELS.0.id: String should have at least 1",
        ),
    ],
)
def test_a_wrong_variable_is_named(problem_of, name, value, told):
    assert told in problem_of(**{name: value})


def test_a_long_wrong_value_is_cut(problem_of):
    assert len(problem_of(f"[embeddings]\nport = '{'x' * 5000}'\n")) < 400


def test_the_settings_file_that_ships_is_right():
    path = Path(__file__).parents[3] / "switchboard.toml"

    _, own = config.load_service("embeddings", EmbeddingsSettings, path)

    assert own.models
