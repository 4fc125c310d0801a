"""Runs on memory of the caller."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.runtime.onnx import SessionOptions, available_providers, open_session
from services.runtime.onnx.copying import copy_memory

CPU = SessionOptions("cpu", threads=1)
FLOAT = np.dtype(np.float32)


@pytest.fixture
def counting(tmp_path):
    """A graph that adds `step` to a memory and returns twice of what it holds then."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 2])
        for name in ("past", "step", "present", "twice")
    ]
    nodes = [
        helper.make_node("Add", ["past", "step"], ["present"]),
        helper.make_node("Add", ["present", "present"], ["twice"]),
    ]
    return save(tmp_path, nodes, values[:2], values[2:])


def save(folder, nodes, inputs, outputs, constants=(), **saving):
    model = helper.make_model(
        helper.make_graph(nodes, "graph", inputs, outputs, list(constants)),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.save(model, str(folder / "graph.onnx"), **saving)
    return folder / "graph.onnx"


def values_of(memory):
    return memory.owner if isinstance(memory.owner, np.ndarray) else memory.owner.numpy()


def test_a_run_reads_and_writes_part_of_a_memory_in_place(counting):
    session = open_session(counting, CPU)
    memory = session.allocate((4, 2), FLOAT)
    part = memory.rows(1, 2)
    run = session.bind({"past": part}, {"present": part}, ["twice"])

    results = [run.run({"step": np.full((2, 2), step, np.float32)})[0].copy() for step in (1, 10)]

    assert isinstance(memory.owner, np.ndarray)
    np.testing.assert_array_equal(memory.owner, [[0, 0], [11, 11], [11, 11], [0, 0]])
    np.testing.assert_array_equal(results[0], np.full((2, 2), 2))
    np.testing.assert_array_equal(results[1], np.full((2, 2), 22))


def test_a_run_returns_nothing_where_all_outputs_have_lasting_memory(counting):
    session = open_session(counting, CPU)
    memory, answers = (session.allocate((4, 2), FLOAT) for _ in range(2))
    outputs = {"present": memory.rows(2, 1), "twice": answers.rows(2, 1)}
    run = session.bind({"past": memory.rows(2, 1)}, outputs, [])

    returned = [run.run({"step": np.full((1, 2), step, np.float32)}) for step in (1, 10)]

    assert returned == [[], []]
    np.testing.assert_array_equal(answers.owner, [[0, 0], [0, 0], [22, 22], [0, 0]])


def test_rows_are_copied_up_to_a_number_of_tokens(counting):
    session = open_session(counting, CPU)
    memory = session.allocate((3, 2, 4, 1), FLOAT)
    memory.owner[0] = np.arange(8).reshape(2, 4, 1)

    session.copy_row(memory, 0, 2, 3)

    np.testing.assert_array_equal(memory.owner[2, :, :, 0], [[0, 1, 2, 0], [4, 5, 6, 0]])
    np.testing.assert_array_equal(memory.owner[1], np.zeros((2, 4, 1)))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_memory_of_a_device_is_copied_by_a_graph(counting, dtype):
    """The same graph as on a device, here on the CPU."""
    memory = open_session(counting, CPU).allocate((3, 2, 4), np.dtype(dtype))
    memory.owner[1] = np.arange(8).reshape(2, 4)

    copy_memory(memory.rows(1, 1), memory.rows(2, 1))

    np.testing.assert_array_equal(memory.owner[2], np.arange(8).reshape(2, 4))
    np.testing.assert_array_equal(memory.owner[0], np.zeros((2, 4)))


@pytest.mark.parametrize(
    "provider",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.needs_gpu,
                pytest.mark.skipif("cuda" not in available_providers(), reason="needs CUDA"),
            ],
        ),
    ],
)
def test_a_recorded_run_reads_what_it_is_fed_each_time(counting, provider):
    session = open_session(counting, SessionOptions(provider, threads=1, cuda_graphs=True))
    before, after, answers = (session.allocate((4, 2), FLOAT) for _ in range(3))
    outputs = {"present": after.rows(1, 2), "twice": answers.rows(1, 2)}
    steps = [np.full((2, 2), step, np.float32) for step in (1, 10, 100)]
    run = session.record({"past": before.rows(1, 2)}, outputs, {"step": steps[0]})

    told = []
    for step in steps:
        assert run.run({"step": step}) == []
        told.append(values_of(answers)[:, 0].tolist())

    assert told == [[0, 2, 2, 0], [0, 20, 20, 0], [0, 200, 200, 0]]


def test_a_recorded_run_takes_nothing_of_another_shape(counting):
    session = open_session(counting, SessionOptions("cpu", threads=1, cuda_graphs=True))
    memory, answers = (session.allocate((4, 2), FLOAT) for _ in range(2))
    step = np.zeros((4, 2), np.float32)
    run = session.record({"past": memory}, {"present": memory, "twice": answers}, {"step": step})

    with pytest.raises(AssertionError):
        run.run({"step": step[:1]})


@pytest.mark.needs_gpu
@pytest.mark.skipif("cuda" not in available_providers(), reason="needs a CUDA device")
def test_a_run_on_a_device_reads_and_writes_its_memory_in_place(counting):
    session = open_session(counting, SessionOptions("cuda"))
    memory = session.allocate((4, 2), FLOAT)
    run = session.bind({"past": memory}, {"present": memory}, ["twice"])
    run.run({"step": np.array([[1, 1], [2, 2], [3, 3], [4, 4]], np.float32)})

    session.copy_row(memory, 3, 0, 2)

    (twice,) = run.run({"step": np.zeros((4, 2), np.float32)})
    np.testing.assert_array_equal(twice, [[8, 8], [4, 4], [6, 6], [8, 8]])


def test_a_part_of_a_memory_ends_where_the_memory_does(counting):
    memory = open_session(counting, CPU).allocate((3, 2), FLOAT)

    assert memory.rows(1, 2).pointer == memory.pointer + 8
    with pytest.raises(AssertionError):
        memory.rows(2, 2)


def test_a_graph_that_comes_as_bytes_finds_its_weights_beside_the_file(tmp_path):
    weights = numpy_helper.from_array(np.arange(600, dtype=np.float32), "weights")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [600]) for name in ("x", "y")]
    node = helper.make_node("Add", ["x", "weights"], ["y"])
    path = save(
        tmp_path,
        [node],
        values[:1],
        values[1:],
        [weights],
        save_as_external_data=True,
        location="graph.weights",
    )
    graph = onnx.load(str(path), load_external_data=False).SerializeToString()
    assert len(graph) < 600

    session = open_session(path, CPU, graph)

    (y,) = session.run(["y"], {"x": np.ones(600, np.float32)})
    np.testing.assert_array_equal(y, np.arange(600) + 1)
