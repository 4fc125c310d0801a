"""Sessions on a graph of one node."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import (
    SessionOptions,
    available_providers,
    cuda_problem,
    open_session,
    runtime_version,
)

CPU = SessionOptions("cpu", threads=1)


@pytest.fixture
def doubling(tmp_path):
    """A graph that adds its input to itself."""
    values = helper.make_tensor_value_info("values", TensorProto.FLOAT, ["n"])
    twice = helper.make_tensor_value_info("twice", TensorProto.FLOAT, ["n"])
    node = helper.make_node("Add", ["values", "values"], ["twice"])
    model = helper.make_model(
        helper.make_graph([node], "doubling", [values], [twice]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    path = tmp_path / "doubling.onnx"
    onnx.save(model, str(path))
    return path


def test_a_session_knows_its_inputs_and_outputs_and_runs(doubling):
    session = open_session(doubling, CPU)

    (twice,) = session.run(["twice"], {"values": np.array([1, 2.5], np.float32)})

    assert dict(session.inputs) == {"values": "tensor(float)"}
    assert list(session.outputs) == ["twice"]
    assert session.provider == "cpu"
    np.testing.assert_array_equal(twice, [2, 5])


def test_without_a_wish_the_fastest_provider_is_taken(doubling):
    session = open_session(doubling, SessionOptions(threads=1))

    assert session.provider == available_providers()[0]


def test_a_missing_and_a_corrupt_graph_are_named(tmp_path):
    corrupt = tmp_path / "corrupt.onnx"
    corrupt.write_bytes(b"no graph at all")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(b"\x08\x08\x12\x07")

    with pytest.raises(ArtifactError, match=r"none\.onnx: there is no such file"):
        open_session(tmp_path / "none.onnx", CPU)
    for path in (corrupt, cut):
        with pytest.raises(ArtifactError, match=f"{path.name}: ONNX Runtime cannot load it"):
            open_session(path, CPU)


@pytest.mark.skipif(cuda_problem() is None, reason="there is a CUDA device")
def test_cuda_is_refused_with_the_reason_where_there_is_none(doubling):
    with pytest.raises(ArtifactError, match="'cuda' was asked for, but") as refused:
        open_session(doubling, SessionOptions("cuda"))

    assert cuda_problem() in str(refused.value)
    assert available_providers() == ("cpu",)


@pytest.mark.needs_gpu
@pytest.mark.skipif(cuda_problem() is not None, reason="there is no CUDA device")
def test_cuda_is_taken_where_there_is_a_device(doubling):
    session = open_session(doubling, SessionOptions())

    assert session.provider == "cuda"


def test_the_version_is_that_of_the_library():
    assert runtime_version().count(".") == 2
