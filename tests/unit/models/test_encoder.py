from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto

from models.bert.export import export_float32
from models.bert.weights import BertWeights
from tests.unit.models.reference import TINY, encode, random_tensors
from tests.unit.models.running import run

TENSORS = random_tensors(TINY)
TEXTS = [[1, 7, 3, 9, 2], [1, 2], list(range(24)), [5]]


def test_float32_graph_computes_what_the_reference_computes() -> None:
    model = export_float32(TINY, BertWeights(TENSORS), "test")
    for text, states in zip(TEXTS, run(model, TEXTS), strict=True):
        np.testing.assert_allclose(states, encode(TINY, TENSORS, text), atol=1e-5)


def test_padding_does_not_reach_real_tokens_whatever_it_holds() -> None:
    model = export_float32(TINY, BertWeights(TENSORS), "test")
    for zeros, others in zip(run(model, TEXTS, 0), run(model, TEXTS, 49), strict=True):
        np.testing.assert_allclose(zeros, others, atol=1e-6)


def test_weight_names_may_begin_with_bert() -> None:
    prefixed = {f"bert.{name}": tensor for name, tensor in TENSORS.items()}
    plain = run(export_float32(TINY, BertWeights(TENSORS), "test"), TEXTS)
    found = run(export_float32(TINY, BertWeights(prefixed), "test"), TEXTS)
    for left, right in zip(plain, found, strict=True):
        np.testing.assert_array_equal(left, right)


def test_inputs_and_output_have_free_batch_and_token_axes() -> None:
    graph = export_float32(TINY, BertWeights(TENSORS), "test").graph
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert shapes == {
        "input_ids": ["batch", "tokens"],
        "attention_mask": ["batch", "tokens"],
        "token_type_ids": ["batch", "tokens"],
        "last_hidden_state": ["batch", "tokens", TINY.width],
    }
    assert {value.type.tensor_type.elem_type for value in graph.input} == {TensorProto.INT64}


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_any_number_of_heads_gives_the_references_answer(heads: int) -> None:
    config = replace(TINY, heads=heads)
    (states,) = run(export_float32(config, BertWeights(TENSORS), "test"), [TEXTS[0]])
    np.testing.assert_allclose(states, encode(config, TENSORS, TEXTS[0]), atol=1e-5)
