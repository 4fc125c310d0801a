"""The encoder on tiny graphs of each export's form."""

import numpy as np
import pytest

from services.embeddings.config import EmbeddingsModelSettings
from services.embeddings.engine.encoder import Encoder
from services.embeddings.engine.folder import read_spec
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import SessionOptions, open_session
from tests.models.encoder import CLS_ID, SEP_ID, VOCABULARY, write_encoder

ALL = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


def make(folder, **options):
    write_encoder(folder, **options)
    spec = read_spec(EmbeddingsModelSettings(id="tiny", folder=folder))
    session = open_session(folder / "onnx/model.onnx", SessionOptions("cpu", threads=1))
    return Encoder(session, spec)


def ragged(rng, count=9, longest=30):
    lengths = rng.integers(1, longest, size=count)
    return [
        [CLS_ID, *rng.integers(4, len(VOCABULARY), size=length).tolist(), SEP_ID]
        for length in lengths
    ]


@pytest.mark.parametrize("integers", ["int64", "int32"])
@pytest.mark.parametrize("inputs", [ALL, ALL[:3], ALL[:2], ALL[:1], (ALL[0], ALL[3])])
def test_a_text_has_the_same_vector_alone_and_in_a_padded_batch(tmp_path, rng, inputs, integers):
    encoder = make(tmp_path, inputs=inputs, integers=integers)
    batch = ragged(rng)

    together = encoder.encode(batch)

    alone = np.concatenate([encoder.encode([ids]) for ids in batch])
    np.testing.assert_allclose(together, alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "mode", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
)
def test_every_pooling_mode_is_blind_to_padding(tmp_path, rng, mode):
    encoder = make(tmp_path, pooling=(mode,))
    batch = ragged(rng)

    together = encoder.encode(batch)

    alone = np.concatenate([encoder.encode([ids]) for ids in batch])
    np.testing.assert_allclose(together, alone, atol=1e-6, rtol=0)


def test_the_tiny_model_tells_masked_padding_from_tokens(tmp_path):
    """Else the tests above would prove nothing."""
    encoder = make(tmp_path)

    real, padded, turned = (
        encoder.encode([ids])[0] for ids in ([2, 9, 8, 3], [2, 9, 8, 3, 0, 0], [2, 8, 9, 3])
    )

    assert np.abs(real - padded).max() > 1e-3
    assert np.abs(real - turned).max() > 1e-3


def test_exports_of_one_model_with_and_without_their_optional_inputs_agree(tmp_path, rng):
    batch = ragged(rng)

    plain, with_places = (
        make(tmp_path / name, inputs=inputs).encode(batch)
        for name, inputs in {"plain": ALL[:2], "places": (*ALL[:2], ALL[3])}.items()
    )

    np.testing.assert_allclose(plain, with_places, atol=1e-6, rtol=0)


def test_a_pooled_output_is_taken_as_it_is(tmp_path, rng):
    batch = ragged(rng)
    states = make(tmp_path / "states")
    pooled = make(tmp_path / "pooled", output="sentence_embedding")

    vectors = pooled.encode(batch)

    np.testing.assert_allclose(vectors, states.encode(batch), atol=1e-6, rtol=0)


def test_vectors_are_float32_of_unit_length_where_the_folder_normalizes(tmp_path, rng):
    batch = ragged(rng)

    vectors = make(tmp_path / "unit").encode(batch)
    raw = make(tmp_path / "raw", normalize=False).encode(batch)

    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert np.abs(np.linalg.norm(raw, axis=1) - 1.0).min() > 1e-3


def test_joined_modes_make_wider_vectors(tmp_path):
    encoder = make(tmp_path, width=8, pooling=("mean", "cls"))

    assert encoder.width == 16


class Graph:
    """A session that only says what its inputs and outputs are."""

    provider = "cpu"

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs

    def run(self, outputs, feeds):
        raise AssertionError("a graph that cannot be served is not run")


@pytest.mark.parametrize(
    ("inputs", "outputs", "told"),
    [
        ({"pixels": "tensor(int64)"}, ["last_hidden_state"], "inputs are pixels"),
        ({}, ["last_hidden_state"], "input_ids"),
        (
            {"input_ids": "tensor(int64)", "past": "tensor(int64)"},
            ["last_hidden_state"],
            "inputs are input_ids, past",
        ),
        ({"input_ids": "tensor(float)"}, ["last_hidden_state"], "input_ids is a tensor(float)"),
        ({"input_ids": "tensor(int64)"}, ["logits"], "outputs are logits"),
    ],
)
def test_a_graph_that_is_no_encoder_is_refused_by_its_inputs_and_outputs(
    tmp_path, inputs, outputs, told
):
    write_encoder(tmp_path)
    spec = read_spec(EmbeddingsModelSettings(id="tiny", folder=tmp_path))

    with pytest.raises(ArtifactError) as refused:
        Encoder(Graph(inputs, outputs), spec)

    assert told in str(refused.value)
