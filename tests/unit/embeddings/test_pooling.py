"""Pooling against a slow loop over the tokens of every row."""

import math

import numpy as np
import pytest

from services.embeddings.engine.pooling import MODES, normalize, pool


def slow_mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def slow_mean_sqrt_len(rows):
    return [sum(column) / math.sqrt(len(rows)) for column in zip(*rows, strict=True)]


def slow_weighted_mean(rows):
    weights = range(1, len(rows) + 1)
    return [
        sum(w * value for w, value in zip(weights, column, strict=True)) / sum(weights)
        for column in zip(*rows, strict=True)
    ]


def slow_max(rows):
    return [max(column) for column in zip(*rows, strict=True)]


SLOW = {
    "cls": lambda rows: rows[0],
    "max": slow_max,
    "mean": slow_mean,
    "mean_sqrt_len_tokens": slow_mean_sqrt_len,
    "weightedmean": slow_weighted_mean,
    "lasttoken": lambda rows: rows[-1],
}


def ragged(rng, batch=7, tokens=11, width=5):
    states = rng.normal(size=(batch, tokens, width)).astype(np.float32)
    lengths = rng.integers(1, tokens + 1, size=batch)
    return states, lengths


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_agrees_with_the_slow_loop(rng, mode):
    for _ in range(20):
        states, lengths = ragged(rng)

        vectors = pool(states, lengths, [mode])

        slow = [SLOW[mode](row[:n].tolist()) for row, n in zip(states, lengths, strict=True)]
        np.testing.assert_allclose(vectors, slow, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_what_stands_behind_a_text_never_matters(rng, mode):
    states, lengths = ragged(rng)
    spoiled = states.copy()
    spoiled[np.arange(states.shape[1]) >= lengths[:, None]] = 1e6

    vectors = pool(spoiled, lengths, [mode])

    np.testing.assert_array_equal(vectors, pool(states, lengths, [mode]))


def test_several_modes_stand_side_by_side_in_the_order_that_is_asked(rng):
    states, lengths = ragged(rng)

    vectors = pool(states, lengths, ["cls", "mean"])

    np.testing.assert_array_equal(vectors[:, :5], pool(states, lengths, ["cls"]))
    np.testing.assert_array_equal(vectors[:, 5:], pool(states, lengths, ["mean"]))


@pytest.mark.parametrize("mode", MODES)
def test_pooled_vectors_stay_float32(rng, mode):
    states, lengths = ragged(rng)

    vectors = pool(states, lengths, [mode])

    assert vectors.dtype == np.float32


def test_normalizing_gives_unit_length_and_leaves_zeros_alone(rng):
    vectors = rng.normal(size=(3, 4)).astype(np.float32)
    vectors[1] = 0

    unit = normalize(vectors)

    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), [1, 0, 1], atol=1e-6)
    assert unit.dtype == np.float32
