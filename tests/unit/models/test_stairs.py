from __future__ import annotations

import numpy as np

from models.bert.export import export_float32, export_int8
from models.bert.stairs import ceiling, widen
from models.bert.weights import BertWeights
from tests.unit.models.reference import TINY, encode, random_tensors
from tests.unit.models.running import cosines, run

RANDOM = np.random.default_rng(2)
TEXTS = [[1, *RANDOM.integers(2, 50, length).tolist()] for length in (3, 20, 11, 7)]


def outspoken_tensors() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Weights whose first layer has a neuron that answers token 1 far above all others."""
    tensors = random_tensors(TINY)
    prefix = "encoder.layer.0"
    attended = "attention.output.LayerNorm"
    tensors[f"{prefix}.{attended}.weight"][4] = 0.02
    tensors[f"{prefix}.{attended}.bias"][4] = 0.0
    tensors["embeddings.word_embeddings.weight"][:, 4] = 0.0
    tensors["embeddings.word_embeddings.weight"][1, 4] = 40.0
    tensors[f"{prefix}.{attended}.weight"][4] = 8.0
    tensors[f"{prefix}.intermediate.dense.weight"][9] = 0.0
    tensors[f"{prefix}.intermediate.dense.weight"][9, 4] = 2.0
    tensors[f"{prefix}.intermediate.dense.bias"][9] = -12.0
    tensors[f"{prefix}.intermediate.dense.weight"][:9, 4] = 0.0
    tensors[f"{prefix}.intermediate.dense.weight"][10:, 4] = 0.0
    return tensors


def test_ceiling_is_the_highest_peak_that_is_not_apart() -> None:
    even = np.linspace(3, 6, 12).astype(np.float32)
    assert ceiling(even) == 6.0
    assert ceiling(np.append(even, [24.0, 15.0]).astype(np.float32)) == 6.0


def test_an_encoder_without_lone_neurons_stays_as_it_is() -> None:
    weights = BertWeights(random_tensors(TINY))
    peaks = [np.linspace(1, 3, TINY.inner_width).astype(np.float32)] * TINY.layers
    assert widen(TINY, weights, peaks) == (TINY, weights)


def test_stairs_add_up_to_the_neuron_that_they_replace() -> None:
    weights = BertWeights(random_tensors(TINY))
    peaks = np.full(TINY.inner_width, 2.0, np.float32)
    peaks[9] = 20.0
    config, widened = widen(TINY, weights, [peaks, peaks / peaks])
    assert config.inner_width == TINY.inner_width + 16
    name = "encoder.layer.0"
    before, bias = weights.linear(f"{name}.intermediate.dense", TINY.width, TINY.inner_width)
    after, shifted = widened.linear(f"{name}.intermediate.dense", TINY.width, config.inner_width)
    states = 50 * before[:, 9] / np.square(before[:, 9]).sum()  # fires neuron 9 at about 50
    steps = (bias[9] - shifted[64:74]) / 2
    np.testing.assert_allclose(steps, np.arange(1, 11), rtol=1e-5)
    stairs = np.clip(states @ after + shifted, 0, 2)[[9, *range(64, 74)]].sum()
    np.testing.assert_allclose(stairs, 22, rtol=1e-4)  # 1.1 times the peak that was seen


def test_int8_keeps_a_neuron_that_fires_far_above_the_others() -> None:
    tensors = outspoken_tensors()
    weights = BertWeights(tensors)
    sequences = [np.array(text, np.int64) for text in TEXTS]
    model = export_int8(TINY, weights, sequences, "test")
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    assert shapes["layer.0.sums.weight"] == [TINY.width, TINY.inner_width + 16]
    exact = run(export_float32(TINY, weights, "test"), TEXTS)
    close = run(model, TEXTS)
    for text, left, right in zip(TEXTS, exact, close, strict=True):
        np.testing.assert_allclose(left, encode(TINY, tensors, text), atol=1e-4)
        assert cosines(left, right).min() > 0.99
