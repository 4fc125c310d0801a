"""What a graph is like, and what is changed of it before it runs."""

import onnx
import pytest

from services.chat.engine.graph import load_graph, prepare_graph
from services.runtime.artifacts import ArtifactError
from tests.models.decoder import TINY, random_weights
from tests.models.decoder_folder import write_decoder
from tests.models.decoder_graph import Form, decoder_graph


@pytest.mark.parametrize("attention", ["grouped", "growing"])
def test_a_graph_with_grouped_attention_has_a_shared_cache(tmp_path, attention):
    path = write_decoder(tmp_path, attention=attention) / "onnx/model.onnx"

    graph = prepare_graph(load_graph(path), "logits", capacity=64)

    assert graph.has_shared_cache == (attention == "grouped")


def test_a_graph_in_which_nothing_is_to_be_changed_is_run_as_it_is():
    model = decoder_graph(TINY, Form(is_head_pruned=True), random_weights(TINY))

    assert prepare_graph(model, "logits", capacity=64).content is None


def test_a_missing_and_a_corrupt_graph_are_named(tmp_path):
    (tmp_path / "corrupt.onnx").write_bytes(b"no graph at all")

    with pytest.raises(ArtifactError, match=r"none\.onnx: there is no such file"):
        load_graph(tmp_path / "none.onnx")
    with pytest.raises(ArtifactError, match=r"corrupt\.onnx: cannot be read as a graph"):
        load_graph(tmp_path / "corrupt.onnx")


def test_an_empty_graph_is_no_reason_to_fail():
    assert prepare_graph(onnx.ModelProto(), "logits", capacity=64).content is None
