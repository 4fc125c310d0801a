"""What a graph is going to hold, from its files."""

import pytest

from services.runtime.artifacts import ArtifactError
from services.runtime.weights import weights_bytes


def test_weights_outside_the_graph_count_and_other_graphs_do_not(tmp_path):
    sizes = {
        "model.onnx": 1,
        "model.onnx_data": 10,
        "model.onnx_data_1": 100,
        "model.onnx.data": 1000,
        "model_int8.onnx": 10_000,
        "tokenizer.json": 100_000,
    }
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(b"x" * size)

    assert weights_bytes(tmp_path / "model.onnx") == 1111
    assert weights_bytes(tmp_path / "model_int8.onnx") == 10_000


def test_an_absent_graph_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"model\.onnx: there is no such file"):
        weights_bytes(tmp_path / "model.onnx")
