"""Graphs with rotations for short and for long texts use one kind, whatever else is served."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import helper

from services.chat.engine.long_rope import fix_rotations, short_tokens
from services.chat.engine.runner import Row
from tests.models.decoder import TINY, oracle_logits, random_weights
from tests.models.decoder_graph import LONG_THETA, Form, decoder_graph
from tests.unit.chat.decoding import SHAPE, WEIGHTS, open_runner

LONG = dataclasses.replace(SHAPE, theta=LONG_THETA)
SHORT = 40


def make(**form):
    return decoder_graph(TINY, Form(**form), random_weights(TINY))


def prompt_of(rng, length):
    return rng.integers(2, SHAPE.vocabulary, size=length).tolist()


def logits_along(runner, tokens, first):
    """The logits after `first` tokens, read at once, and after each one that follows."""
    logits = [runner.prefill(0, tokens[:first], 0)]
    logits += [runner.decode([Row(0, tokens[n], n)]) for n in range(first, len(tokens))]
    return np.concatenate(logits)


def test_contexts_are_short_where_nobody_asks_for_more(tmp_path, rng):
    runner = open_runner(tmp_path, short=SHORT)
    tokens = prompt_of(rng, SHORT)

    logits = logits_along(runner, tokens, 30)

    assert runner.capacity_tokens == SHORT
    expected = oracle_logits(SHAPE, WEIGHTS, tokens)[29:]
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("length", [20, 60])
def test_in_a_longer_context_every_text_is_turned_as_a_long_one(tmp_path, rng, length):
    runner = open_runner(tmp_path, short=SHORT, context=80)
    tokens = prompt_of(rng, length)

    logits = logits_along(runner, tokens, length - 10)

    expected = oracle_logits(LONG, WEIGHTS, tokens)[length - 11 :]
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)


def test_a_long_text_changes_nothing_for_a_short_one_beside_it(tmp_path, rng):
    runner = open_runner(tmp_path, short=SHORT, context=80)
    tokens = prompt_of(rng, 70)
    for slot, length in ((0, 60), (1, 10)):
        runner.prefill(slot, tokens[:length], 0)

    logits = runner.decode([Row(0, tokens[60], 60), Row(1, tokens[10], 10)])

    expected = oracle_logits(LONG, WEIGHTS, tokens)[[60, 10]]
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("comparison", "limit"), [("Greater", 40), ("GreaterOrEqual", 39)])
def test_the_longest_short_text_is_read_from_the_graph(comparison, limit):
    model = make(short=SHORT)
    assert short_tokens(model) == SHORT

    for node in model.graph.node:
        if node.op_type == "Greater":
            node.op_type = comparison

    assert short_tokens(model) == limit


def test_a_graph_with_one_kind_of_rotations_is_left_alone():
    model = make()
    before = model.SerializeToString(deterministic=True)

    assert short_tokens(model) is None
    assert not fix_rotations(model, 10)
    assert model.SerializeToString(deterministic=True) == before


def test_a_choice_that_no_constant_length_decides_is_left_alone():
    model = make(short=SHORT)
    for node in model.graph.node:
        if node.op_type == "Greater":
            node.input[1] = "input_ids"
    assert short_tokens(model) is None

    for node in model.graph.node:
        if node.op_type == "Greater":
            node.op_type = "Equal"
    assert short_tokens(model) is None


def test_a_choice_between_computed_values_is_left_alone():
    model = make(short=SHORT)
    switch = next(node for node in model.graph.node if node.op_type == "If")
    branch = next(each.g for each in switch.attribute if each.name == "then_branch")
    branch.node[0].CopyFrom(helper.make_node("Identity", ["sin_long"], ["cos_long"]))

    assert not fix_rotations(model, 10)


def test_the_choice_is_gone_from_the_graph():
    model = make(short=SHORT)

    assert fix_rotations(model, SHORT + 1)

    assert "If" not in {node.op_type for node in model.graph.node}
    assert {"cos", "sin"} <= {tensor.name for tensor in model.graph.initializer}
    onnx.shape_inference.infer_shapes(model)
