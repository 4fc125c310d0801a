from __future__ import annotations

import numpy as np
import pytest

from models.bert.calibration import choose_range, product_error
from models.bert.export import export_float32, export_int8
from models.bert.int8 import Range, quantise_weight
from models.bert.weights import BertWeights
from tests.unit.models.reference import TINY, random_tensors
from tests.unit.models.running import cosines, run

RANDOM = np.random.default_rng(1)
TENSORS = random_tensors(TINY)
TEXTS = [RANDOM.integers(0, 50, length).tolist() for length in (3, 24, 11, 1, 7)]
SEQUENCES = [RANDOM.integers(0, 50, length) for length in (4, 9, 16, 24, 24, 24)]


def test_int8_graph_stays_close_to_float32() -> None:
    exact = run(export_float32(TINY, BertWeights(TENSORS), "test"), TEXTS)
    close = run(export_int8(TINY, BertWeights(TENSORS), SEQUENCES, "test"), TEXTS)
    for left, right in zip(exact, close, strict=True):
        assert cosines(left, right).min() > 0.99


def test_a_text_embeds_the_same_alone_and_in_any_company() -> None:
    model = export_int8(TINY, BertWeights(TENSORS), SEQUENCES, "test")
    together = run(model, TEXTS, filler=13)
    for text, states in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(run(model, [text])[0], states, atol=1e-5)


def test_exporting_twice_gives_the_same_bytes() -> None:
    first = export_int8(TINY, BertWeights(TENSORS), SEQUENCES, "test")
    second = export_int8(TINY, BertWeights(TENSORS), SEQUENCES, "test")
    assert first.SerializeToString() == second.SerializeToString()


@pytest.mark.parametrize("inputs", [1, 2, 7, 64])
def test_weight_codes_come_back_within_half_a_step(inputs: int) -> None:
    weight = RANDOM.standard_normal((inputs, 16)).astype(np.float32)
    codes, scale = quantise_weight(weight)
    assert np.all(np.abs(codes * scale - weight) <= scale * 0.501)


def test_no_pair_of_weight_codes_can_overflow_int16() -> None:
    weight = np.abs(RANDOM.standard_normal((64, 16))).astype(np.float32)
    weight[10:12] = 5  # two neighbours at the very top
    for signed in (weight, -weight):
        codes, _ = quantise_weight(signed)
        pairs = codes.astype(np.int32).reshape(32, 2, 16).sum(axis=1) * 255
        assert pairs.max() <= np.iinfo(np.int16).max
        assert pairs.min() >= np.iinfo(np.int16).min


def test_zero_is_a_code_of_its_own_and_ends_are_clipped() -> None:
    found = Range(low=-1.0, high=3.0)
    values = np.array([0.0, -9.0, 9.0], np.float32)
    assert found.codes(values).tolist() == [found.zero_point, 0, 255]


def test_a_loud_channel_is_smoothed_and_the_product_errs_less() -> None:
    states = RANDOM.standard_normal((200, 32)).astype(np.float32)
    states[:, 5] *= 40
    weight = RANDOM.standard_normal((32, 8)).astype(np.float32)
    plain = Range(float(states.min()), float(states.max()))
    found = choose_range(states, weight)
    assert found.smoothing is not None
    assert product_error(found, states, weight) < product_error(plain, states, weight) / 2


def test_even_channels_are_left_without_smoothing() -> None:
    states = RANDOM.uniform(-1, 1, (200, 32)).astype(np.float32)
    weight = RANDOM.uniform(-1, 1, (32, 8)).astype(np.float32)
    assert choose_range(states, weight).smoothing is None
