from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from models.bert.config import parse_config
from models.bert.export import export_float32
from models.bert.weights import BertWeights
from models.errors import MissingTensorError, ModelFileError, UnsupportedConfigError
from tests.unit.models.reference import TINY, random_tensors

FIELDS = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "vocab_size": 50,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "layer_norm_eps": 1e-12,
}


def test_config_is_read_field_by_field() -> None:
    assert parse_config(json.dumps(FIELDS).encode()) == TINY


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "roberta"),
        ("hidden_act", "gelu_new"),
        ("position_embedding_type", "relative_key"),
        ("hidden_size", "32"),
        ("num_attention_heads", 5),
        ("num_hidden_layers", 0),
        ("layer_norm_eps", -1.0),
    ],
)
def test_a_network_of_another_kind_is_refused_by_the_field(field: str, value: object) -> None:
    with pytest.raises(UnsupportedConfigError, match=field) as caught:
        parse_config(json.dumps({**FIELDS, field: value}).encode())
    assert caught.value.field == field


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff"])
def test_a_config_that_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"config\.json"):
        parse_config(text)


def test_a_missing_tensor_is_named() -> None:
    tensors = random_tensors(TINY)
    name = "encoder.layer.1.output.dense.bias"
    del tensors[name]
    with pytest.raises(MissingTensorError, match=name) as caught:
        export_float32(TINY, BertWeights(tensors), "test")
    assert caught.value.tensor == name


def test_a_tensor_of_another_shape_is_named_with_both_shapes() -> None:
    tensors = random_tensors(TINY)
    tensors["embeddings.LayerNorm.weight"] = np.zeros(31, np.float32)
    with pytest.raises(MissingTensorError, match=r"LayerNorm.weight.*\(31,\).*\(32,\)"):
        export_float32(TINY, BertWeights(tensors), "test")


def test_damaged_weights_are_refused_by_their_file() -> None:
    content = save({"a": np.zeros(8, np.float32)})
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        BertWeights.from_safetensors(content[:-5])


def test_half_precision_weights_are_read_as_float32() -> None:
    content = save({"bert.a": np.full((2, 3), 0.5, np.float16)})
    tensor = BertWeights.from_safetensors(content).tensor("a", 2, 3)
    assert tensor.dtype == np.float32
    assert tensor.tolist() == [[0.5] * 3] * 2
