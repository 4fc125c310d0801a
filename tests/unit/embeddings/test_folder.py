"""What a folder says, and what a broken one hears."""

import json

import pytest

from services.embeddings.config import EmbeddingsModelSettings
from services.embeddings.engine.folder import read_spec
from services.embeddings.engine.pooling import MODES
from services.runtime.artifacts import ArtifactError
from tests.models.encoder import write_encoder, write_json


def spec_of(folder, **settings):
    return read_spec(EmbeddingsModelSettings(id="tiny", folder=folder, **settings))


def problem_of(folder, **settings):
    with pytest.raises(ArtifactError) as refused:
        spec_of(folder, **settings)
    return str(refused.value)


@pytest.mark.parametrize("form", ["flags", "name"])
@pytest.mark.parametrize("mode", MODES)
def test_both_forms_of_the_pooling_config_are_read(tmp_path, form, mode):
    write_encoder(tmp_path, pooling=(mode,), pooling_form=form)

    assert spec_of(tmp_path).pooling == (mode,)


@pytest.mark.parametrize("form", ["flags", "name"])
def test_several_modes_are_joined_in_the_order_of_their_tool(tmp_path, form):
    write_encoder(tmp_path, pooling=("lasttoken", "mean", "cls"), pooling_form=form)

    assert spec_of(tmp_path).pooling == ("cls", "mean", "lasttoken")


def test_the_folder_says_everything(tmp_path):
    write_encoder(
        tmp_path,
        prompts={"query": "q: "},
        default_prompt_name="query",
        lowercase=True,
        max_seq_length=20,
        config={"pad_token_id": 7},
    )

    spec = spec_of(tmp_path)

    assert spec.normalize
    assert spec.lowercase
    assert spec.max_tokens == 20
    assert spec.padding_id == 7
    assert spec.prompts.by_name == {"query": "q: "}
    assert spec.prompts.default_name == "query"


def test_the_settings_have_the_last_word(tmp_path):
    write_encoder(tmp_path, pooling=("mean",), max_seq_length=20)

    spec = spec_of(tmp_path, pooling="last", normalize=False, max_tokens=30)

    assert (spec.pooling, spec.normalize, spec.max_tokens) == (("lasttoken",), False, 30)


def test_a_folder_without_normalize_gives_vectors_as_they_are(tmp_path):
    write_encoder(tmp_path, normalize=False)

    assert not spec_of(tmp_path).normalize
    assert spec_of(tmp_path, normalize=True).normalize


def test_a_plain_transformers_folder_is_served_once_the_settings_say_how_to_pool(tmp_path):
    write_encoder(tmp_path, modules=False)

    spec = spec_of(tmp_path, pooling="cls")

    assert spec.pooling == ("cls",)
    assert not spec.normalize
    assert "set 'pooling' for this model" in problem_of(tmp_path)


@pytest.mark.parametrize(
    ("told", "positions", "model_type", "limit"),
    [
        (20, 64, "bert", 20),
        (128, 64, "bert", 64),
        (None, 64, "bert", 64),
        (None, 514, "roberta", 512),
        (20, None, "bert", 20),
    ],
)
def test_the_shortest_of_the_limits_counts(tmp_path, told, positions, model_type, limit):
    config = {"max_position_embeddings": positions, "model_type": model_type}
    write_encoder(tmp_path, max_seq_length=told, config=config)

    assert spec_of(tmp_path).max_tokens == limit


def test_a_limit_beyond_the_positions_of_the_model_is_refused(tmp_path):
    write_encoder(tmp_path, positions=64)

    assert "has 64 positions, but max_tokens is 65" in problem_of(tmp_path, max_tokens=65)


def test_a_folder_that_names_no_limit_asks_for_one(tmp_path):
    write_encoder(tmp_path, max_seq_length=None, config={"max_position_embeddings": None})

    assert "set 'max_tokens' for this model" in problem_of(tmp_path)


def test_the_small_files_may_be_missing(tmp_path):
    write_encoder(tmp_path)
    (tmp_path / "sentence_bert_config.json").unlink()
    (tmp_path / "config_sentence_transformers.json").unlink()

    spec = spec_of(tmp_path)

    assert spec.max_tokens == 64
    assert spec.prompts.by_name == {}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("config.json", "{", "cannot be read as JSON"),
        ("config.json", "[]", "should hold a JSON object"),
        ("config.json", '{"max_position_embeddings": "64"}', "should be a whole number, not '64'"),
        ("config.json", '{"pad_token_id": true}', "should be a whole number, not True"),
        ("modules.json", "{}", "should hold a JSON list"),
        ("modules.json", "[1]", "each module should be an object with a 'type'"),
        ("modules.json", '[{"type": "x.models.Dense"}]', "the module 'Dense' cannot be served"),
        ("modules.json", '[{"type": "x.Transformer"}]', "nothing says how to pool"),
        ("1_Pooling/config.json", "nonsense", "cannot be read as JSON"),
        ("1_Pooling/config.json", "{}", "pooling is not set"),
        ("1_Pooling/config.json", '{"pooling_mode": "attention"}', "pooling ['attention']"),
        (
            "1_Pooling/config.json",
            '{"pooling_mode": "mean", "include_prompt": false}',
            "include_prompt = false cannot be served",
        ),
        ("sentence_bert_config.json", '{"max_seq_length": 1.5}', "should be a whole number"),
        ("config_sentence_transformers.json", '{"prompts": [1]}', "should map names to texts"),
        ("config_sentence_transformers.json", '{"prompts": {"q": 1}}', "should map names to texts"),
        (
            "config_sentence_transformers.json",
            '{"prompts": {}, "default_prompt_name": "q"}',
            "default_prompt_name 'q' is not among the prompts",
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path, file, text, told):
    write_encoder(tmp_path)
    (tmp_path / file).write_text(text)

    problem = problem_of(tmp_path)

    assert told in problem
    assert problem.startswith(str(tmp_path))


@pytest.mark.parametrize("file", ["config.json", "1_Pooling/config.json"])
def test_a_missing_file_is_named(tmp_path, file):
    write_encoder(tmp_path)
    (tmp_path / file).unlink()

    assert problem_of(tmp_path) == f"{tmp_path / file}: there is no such file"


def test_a_chat_model_is_sent_to_its_table(tmp_path):
    write_json(tmp_path / "genai_config.json", {})

    assert "list it under [chat]" in problem_of(tmp_path)


def test_no_folder_and_an_empty_one_are_named(tmp_path):
    assert problem_of(tmp_path / "none") == f"{tmp_path / 'none'}: there is no such folder"
    assert "none of modules.json" in problem_of(tmp_path)


def test_files_are_read_as_utf_8(tmp_path):
    write_encoder(tmp_path)
    text = json.dumps({"prompts": {"frage": "Fräge: "}}, ensure_ascii=False)
    (tmp_path / "config_sentence_transformers.json").write_text(text, encoding="utf-8")

    assert spec_of(tmp_path).prompts.by_name["frage"] == "Fräge: "
