"""Model folders as their tools write them, and broken ones."""

import json

import pytest

from services.chat.engine.folder import read_spec
from services.chat.engine.request import Sampling
from services.runtime.artifacts import ArtifactError
from tests.models.decoder import TINY
from tests.models.decoder_folder import write_decoder


def change(path, **values):
    config = json.loads(path.read_text()) | values
    path.write_text(json.dumps({name: value for name, value in config.items() if value != "gone"}))


@pytest.mark.parametrize("layout", ["genai", "transformers"])
def test_both_layouts_say_the_same(tmp_path, layout):
    spec = read_spec(write_decoder(tmp_path, layout=layout, eos=(1, 5)))

    assert spec.path.is_file()
    assert (spec.layers, spec.kv_heads, spec.head) == (TINY.layers, TINY.kv_heads, TINY.head)
    assert (spec.context_tokens, spec.vocabulary) == (TINY.context, TINY.vocabulary)
    assert spec.eos == {1, 5}
    assert spec.caches()[3] == ("past_key_values.1.value", "present.1.value")


@pytest.mark.parametrize("layout", ["genai", "transformers"])
def test_the_end_of_an_answer_may_be_one_token(tmp_path, layout):
    assert read_spec(write_decoder(tmp_path, layout=layout, eos=7)).eos == {7}


def test_without_a_generation_config_the_configuration_names_the_end(tmp_path):
    write_decoder(tmp_path)
    (tmp_path / "generation_config.json").unlink()

    assert read_spec(tmp_path).eos == {0}


def test_a_generation_config_wins_in_both_layouts(tmp_path):
    write_decoder(tmp_path, layout="genai")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [3, 4]}')

    assert read_spec(tmp_path).eos == {3, 4}


@pytest.mark.parametrize("layout", ["genai", "transformers"])
def test_a_generation_config_advises_how_to_sample(tmp_path, layout):
    write_decoder(tmp_path, layout=layout)
    assert read_spec(tmp_path).sampling == Sampling()
    advice = {"temperature": 0.6, "top_k": 20, "top_p": None, "do_sample": True}
    (tmp_path / "generation_config.json").write_text(json.dumps(advice))

    assert read_spec(tmp_path).sampling == Sampling(temperature=0.6, top_k=20)


def test_a_model_that_is_not_to_be_sampled_has_temperature_0(tmp_path):
    write_decoder(tmp_path)
    advice = {"temperature": 0.6, "do_sample": False}
    (tmp_path / "generation_config.json").write_text(json.dumps(advice))

    assert read_spec(tmp_path).sampling == Sampling(temperature=0)


def test_names_are_those_that_genai_config_tells(tmp_path):
    write_decoder(tmp_path, layout="genai")
    config = json.loads((tmp_path / "genai_config.json").read_text())
    config["model"]["decoder"]["inputs"]["past_key_names"] = "past.%d.k"
    (tmp_path / "genai_config.json").write_text(json.dumps(config))

    assert read_spec(tmp_path).caches()[0] == ("past.0.k", "present.0.key")


def test_a_model_that_also_sees_has_its_decoder_in_a_table_of_its_own(tmp_path):
    write_decoder(tmp_path)
    change(tmp_path / "config.json", num_hidden_layers="gone", text_config={"num_hidden_layers": 2})

    assert read_spec(tmp_path).layers == 2


def test_the_width_of_a_head_follows_from_the_width_where_it_is_not_told(tmp_path):
    write_decoder(tmp_path)
    change(tmp_path / "config.json", head_dim="gone", num_key_value_heads="gone")

    spec = read_spec(tmp_path)

    assert (spec.head, spec.kv_heads) == (TINY.width // TINY.heads, TINY.heads)


def test_of_several_graphs_the_plain_one_is_taken_or_the_one_that_is_told(tmp_path):
    write_decoder(tmp_path)
    plain = tmp_path / "onnx/model.onnx"
    (tmp_path / "onnx/model_q4.onnx").write_bytes(plain.read_bytes())

    assert read_spec(tmp_path).path == plain
    assert read_spec(tmp_path, "onnx/model_q4.onnx").path.name == "model_q4.onnx"
    plain.unlink()
    assert read_spec(tmp_path).path.name == "model_q4.onnx"
    (tmp_path / "onnx/model_q8.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"set 'file' to one of onnx/model_q4\.onnx, onnx/mod"):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"num_hidden_layers": "gone"}, "'num_hidden_layers' should be"),
        ("config.json", {"num_attention_heads": 0}, "'num_attention_heads' should be"),
        ("config.json", {"max_position_embeddings": "long"}, "'max_position_embeddings' should"),
        ("generation_config.json", {"eos_token_id": "</s>"}, "'eos_token_id' should be"),
        ("generation_config.json", {"temperature": 9}, "'temperature': 9 should be between"),
        ("generation_config.json", {"top_p": "high"}, "not supported between"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(tmp_path, name, values, message):
    write_decoder(tmp_path)
    change(tmp_path / name, **values)

    with pytest.raises(ArtifactError, match=message):
        read_spec(tmp_path)


def test_a_folder_without_a_graph_says_so(tmp_path):
    write_decoder(tmp_path)
    (tmp_path / "onnx/model.onnx").unlink()

    with pytest.raises(ArtifactError, match=r"there is no onnx/model\.onnx"):
        read_spec(tmp_path)


def test_a_genai_config_without_a_decoder_says_so(tmp_path):
    (tmp_path / "genai_config.json").write_text('{"model": {"type": "whisper"}}')

    with pytest.raises(ArtifactError, match="'decoder' should be an object"):
        read_spec(tmp_path)


def test_an_embedding_model_is_sent_to_its_own_table(tmp_path):
    (tmp_path / "modules.json").write_text("[]")

    with pytest.raises(ArtifactError, match=r"under \[embeddings\]"):
        read_spec(tmp_path)
