"""Graphs are pruned where that is safe, and compute the same."""

import numpy as np
import onnx
import pytest
from onnx import helper

from services.chat.engine.graph import prune_head, read_graph
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import open_session
from tests.models.decoder import TINY, random_weights
from tests.models.decoder_folder import write_decoder
from tests.models.decoder_graph import Form, decoder_graph
from tests.unit.chat.decoding import CPU


def make(**form):
    return decoder_graph(TINY, Form(**form), random_weights(TINY))


@pytest.mark.parametrize("attention", ["grouped", "growing"])
@pytest.mark.parametrize("head", ["plain", "scaled"])
def test_a_pruned_head_gives_the_logits_of_the_last_token(tmp_path, rng, attention, head):
    path = write_decoder(tmp_path, attention=attention, head=head) / "onnx/model.onnx"
    graph = read_graph(path, "logits")
    tokens = rng.integers(0, TINY.vocabulary, size=(1, 20))
    past = 64 if attention == "grouped" else 0
    empty = np.zeros((1, TINY.kv_heads, past, TINY.head), np.float32)
    feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}

    def logits_of(session):
        caches = {name: empty for name in session.inputs if name.startswith("past")}
        return session.run(["logits"], {**feeds, **caches})[0]

    whole = logits_of(open_session(path, CPU))
    pruned = logits_of(open_session(path, CPU, graph.content))

    assert graph.has_shared_cache == (attention == "grouped")
    assert pruned.shape == (1, 1, TINY.vocabulary)
    np.testing.assert_allclose(pruned, whole[:, -1:], atol=1e-5, rtol=0)


def test_a_head_that_the_export_pruned_is_left_alone(tmp_path):
    path = write_decoder(tmp_path, is_head_pruned=True) / "onnx/model.onnx"

    assert read_graph(path, "logits").content is None


def test_a_head_is_not_looked_for_behind_what_mixes_tokens():
    model = make()
    head = next(node for node in model.graph.node if "logits" in node.output)
    head.output[0] = "raw"
    model.graph.node.append(helper.make_node("Softmax", ["raw"], ["logits"], axis=1))
    before = model.SerializeToString(deterministic=True)

    assert not prune_head(model, "logits")
    assert model.SerializeToString(deterministic=True) == before


def test_a_product_of_two_states_is_no_head():
    model = make()
    head = next(node for node in model.graph.node if "logits" in node.output)
    head.output[0] = "raw"
    model.graph.node.append(helper.make_node("Mul", ["raw", "raw_too"], ["logits"]))

    assert not prune_head(model, "logits")


def test_a_pruned_graph_is_well_formed():
    model = make()

    assert prune_head(model, "logits")

    plain = [node for node in model.graph.node if not node.domain]
    assert len(plain) > 10
    produced = {value.name for value in (*model.graph.input, *model.graph.initializer)}
    for node in model.graph.node:
        assert {name for name in node.input if name} <= produced
        produced |= set(node.output)


def test_a_missing_and_a_corrupt_graph_are_named(tmp_path):
    (tmp_path / "corrupt.onnx").write_bytes(b"no graph at all")

    with pytest.raises(ArtifactError, match=r"none\.onnx: there is no such file"):
        read_graph(tmp_path / "none.onnx", "logits")
    with pytest.raises(ArtifactError, match=r"corrupt\.onnx: cannot be read as a graph"):
        read_graph(tmp_path / "corrupt.onnx", "logits")


def test_nothing_is_pruned_for_an_output_that_is_not_there():
    assert not prune_head(onnx.ModelProto(), "logits")
