"""Heads are found where that is safe, and compute the logits that are asked for."""

import numpy as np
import onnx
import pytest
from onnx import helper

from services.chat.engine.head import LOGIT_PLACES, choose_logits
from services.runtime.onnx import open_session
from tests.models.decoder import TINY, random_weights
from tests.models.decoder_folder import write_decoder
from tests.models.decoder_graph import Form, decoder_graph
from tests.unit.chat.decoding import CPU


def make(**form):
    return decoder_graph(TINY, Form(**form), random_weights(TINY))


def head_of(model):
    return next(node for node in model.graph.node if "logits" in node.output)


@pytest.mark.parametrize("attention", ["grouped", "growing"])
@pytest.mark.parametrize("head", ["plain", "scaled", "quantized"])
@pytest.mark.parametrize("keeps_logits", [False, True])
def test_a_head_computes_the_logits_of_chosen_tokens(tmp_path, rng, attention, head, keeps_logits):
    form = {"attention": attention, "head": head, "keeps_logits": keeps_logits}
    path = write_decoder(tmp_path, **form) / "onnx/model.onnx"
    model = onnx.load(str(path))
    assert choose_logits(model, "logits")
    tokens = rng.integers(0, TINY.vocabulary, size=(1, 20))
    past = 64 if attention == "grouped" else 0
    empty = np.zeros((1, TINY.kv_heads, past, TINY.head), np.float32)
    feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
    if keeps_logits:
        feeds["num_logits_to_keep"] = np.array(0)

    def logits_of(session, **chosen):
        caches = {name: empty for name in session.inputs if name.startswith("past")}
        return session.run(["logits"], {**feeds, **caches, **chosen})[0]

    whole = logits_of(open_session(path, CPU))
    session = open_session(path, CPU, model.SerializeToString())

    for places in ([-1], [19], [0, 7, 3], range(20)):
        chosen = logits_of(session, **{LOGIT_PLACES: np.array(places)})
        np.testing.assert_allclose(chosen, whole[:, list(places)], atol=1e-5, rtol=0)


def test_a_head_that_the_export_limited_is_left_alone():
    model = make(is_head_pruned=True)
    before = model.SerializeToString(deterministic=True)

    assert not choose_logits(model, "logits")
    assert model.SerializeToString(deterministic=True) == before


def test_a_head_is_not_looked_for_behind_what_mixes_tokens():
    model = make()
    head_of(model).output[0] = "raw"
    model.graph.node.append(helper.make_node("Softmax", ["raw"], ["logits"], axis=1))
    before = model.SerializeToString(deterministic=True)

    assert not choose_logits(model, "logits")
    assert model.SerializeToString(deterministic=True) == before


def test_a_product_of_two_states_is_no_head():
    model = make()
    head_of(model).output[0] = "raw"
    model.graph.node.append(helper.make_node("Mul", ["raw", "raw_too"], ["logits"]))

    assert not choose_logits(model, "logits")


def test_logits_without_an_axis_of_tokens_are_left_alone():
    model = make()
    output = next(value for value in model.graph.output if value.name == "logits")
    del output.type.tensor_type.shape.dim[0]

    assert not choose_logits(model, "logits")


def test_logits_of_unknown_shape_are_those_of_all_tokens():
    model = make()
    output = next(value for value in model.graph.output if value.name == "logits")
    output.type.tensor_type.ClearField("shape")

    assert choose_logits(model, "logits")


def test_a_changed_graph_is_well_formed():
    model = make(head="quantized")

    assert choose_logits(model, "logits")

    assert len(model.graph.node) > 10
    produced = {value.name for value in (*model.graph.input, *model.graph.initializer)}
    for node in model.graph.node:
        assert {name for name in node.input if name} <= produced
        produced |= set(node.output)


def test_nothing_is_changed_for_an_output_that_is_not_there():
    assert not choose_logits(onnx.ModelProto(), "logits")
