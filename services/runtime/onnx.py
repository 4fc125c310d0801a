"""ONNX Runtime sessions: providers, threads, bound memory. The only importer of onnxruntime."""

import contextlib
import ctypes
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from services.runtime.artifacts import ArtifactError
from services.runtime.large_pages import large_pages

# The runtime would note a session id in the temporary folder and, on some platforms, call home.
ort.disable_telemetry_events()

Array = NDArray[np.generic]
Provider = Literal["cuda", "cpu"]

_PROVIDERS: dict[Provider, str] = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
"""Where weights outside the graph lie; a graph that comes as bytes does not know."""
_SPIN_US = "session.intra_op.spin_duration_us"
"""How long threads wait awake for the next operator. Left alone they spin for 25 ms after a run,
on cores that others need meanwhile; between two operators of a decoder there are 50 µs at most."""
_NO_RECORDING = -1
"""The number of a run that is not recorded, where others are."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a graph is run."""

    provider: Provider | None = None
    """`cuda` or `cpu`; None takes CUDA where there is a device."""
    threads: int = 0
    """Threads of one run on the CPU; 0 takes one a core."""
    gpu_memory_bytes: int | None = None
    """The most that the session's arena takes on the device; None sets no bound."""
    cuda_graphs: bool = False
    """Whether `record` records; only on CUDA."""


class Session(Protocol):
    """A loaded graph, as engines see it."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """Input names and their types, such as `tensor(int64)`."""

    @property
    def outputs(self) -> Sequence[str]:
        """Output names in the graph's order."""

    @property
    def provider(self) -> Provider:
        """What it runs on."""

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        """Return the named outputs for the given inputs."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory beside a session that runs read and write in place."""

    owner: object
    """What keeps the memory: a NumPy array on the CPU, a value of the runtime on a device."""
    pointer: int
    """Where it begins."""
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    provider: Provider

    def rows(self, start: int, count: int) -> "Buffer":
        """Return a part of the first axis: the same memory, nothing is copied."""
        assert 0 <= start <= start + count <= self.shape[0]
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        shape = (count, *self.shape[1:])
        return replace(self, pointer=self.pointer + start * row_bytes, shape=shape)


class BoundRun(Protocol):
    """A graph with part of its inputs and outputs in lasting memory."""

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Run with the other inputs; return the outputs that have no lasting memory.

        They may be gone with the next run: the runtime uses their memory again.
        """


class BindingSession(Session, Protocol):
    """A `Session` that also runs on memory of its caller."""

    records: bool
    """Whether it was opened for `record`."""

    def allocate(self, shape: Sequence[int], dtype: np.dtype[np.generic]) -> Buffer:
        """Return zeros where the graph runs; the CPU takes pages only as they are written."""

    def copy_row(self, buffer: Buffer, source: int, target: int, tokens: int) -> None:
        """Copy at least the first tokens of one row to another; rows are (heads, tokens, width)."""

    def bind(
        self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer], returned: Sequence[str]
    ) -> BoundRun:
        """Return a run with lasting inputs and outputs, which may be the same memory.

        Args:
            inputs: Memory that is read, by name.
            outputs: Memory that is written, by name, of the exact shape of the output.
            returned: Outputs that each run returns.
        """

    def record(
        self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer], fed: Mapping[str, Array]
    ) -> BoundRun:
        """Return a run whose kernels a device records, to launch all of them at once from then on.

        The run that is recorded is done twice, so doing it again must change nothing.

        Args:
            inputs: As in `bind`.
            outputs: As in `bind`; all of them.
            fed: The other inputs; each run has some of the same shapes and types.
        """


class OnnxSession:
    """A `BindingSession` on ONNX Runtime. Several threads may run it at once if none is recorded.

    Source: https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html
    (using CUDA graphs)
    """

    def __init__(
        self, session: ort.InferenceSession, provider: Provider, *, cuda_graphs: bool = False
    ) -> None:
        self._session = session
        self._provider = provider
        self._is_told_numbers = cuda_graphs and provider == "cuda"
        self._recordings = itertools.count()
        self._plainly = self._recording(_NO_RECORDING)
        self.records = cuda_graphs
        self._inputs = {node.name: node.type for node in session.get_inputs()}
        self._outputs = [node.name for node in session.get_outputs()]

    @property
    def inputs(self) -> Mapping[str, str]:
        """Input names and their types."""
        return self._inputs

    @property
    def outputs(self) -> Sequence[str]:
        """Output names in the graph's order."""
        return self._outputs

    @property
    def provider(self) -> Provider:
        """What it runs on."""
        return self._provider

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        """Return the named outputs for the given inputs."""
        results: list[Array] = self._session.run(list(outputs), dict(feeds), self._plainly)
        return results

    def allocate(self, shape: Sequence[int], dtype: np.dtype[np.generic]) -> Buffer:
        """Return zeros where the graph runs; the CPU takes pages only as they are written."""
        if self._provider == "cpu":
            return host_memory(shape, dtype)
        zeros = np.zeros(tuple(shape), dtype)
        value = ort.OrtValue.ortvalue_from_numpy(zeros, "cuda", 0)
        return Buffer(value, value.data_ptr(), zeros.shape, zeros.dtype, "cuda")

    def copy_row(self, buffer: Buffer, source: int, target: int, tokens: int) -> None:
        """Copy at least the first tokens of one row to another; rows are (heads, tokens, width)."""
        if isinstance(buffer.owner, np.ndarray):
            buffer.owner[target, :, :tokens] = buffer.owner[source, :, :tokens]
        else:
            _copy(buffer.rows(source, 1), buffer.rows(target, 1))

    def bind(
        self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer], returned: Sequence[str]
    ) -> BoundRun:
        """Return a run with lasting inputs and outputs, which may be the same memory."""
        return _OnnxBoundRun(self._session, inputs, outputs, returned, self._plainly)

    def record(
        self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer], fed: Mapping[str, Array]
    ) -> BoundRun:
        """Return a run whose kernels a device records, to launch all of them at once from then on.

        See `BindingSession`; on the CPU it is an ordinary run.
        """
        memory = {name: self.allocate(value.shape, value.dtype) for name, value in fed.items()}
        options = self._recording(next(self._recordings))
        run = _OnnxBoundRun(self._session, {**inputs, **memory}, outputs, [], options)
        return _RecordedRun(run, memory)

    def _recording(self, number: int) -> ort.RunOptions | None:
        """Return options of a run that is recorded under a number, and launched from its record."""
        if not self._is_told_numbers:
            return None
        options = ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(number))
        return options


class _RecordedRun:
    """A `BoundRun` in which all inputs stay at one place."""

    def __init__(self, run: BoundRun, memory: Mapping[str, Buffer]) -> None:
        self._run = run
        self._memory = memory

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Run with other values of the same shapes and types; return nothing."""
        for name, value in feeds.items():
            _fill(self._memory[name], value)
        return self._run.run({})


def _fill(buffer: Buffer, value: Array) -> None:
    """Write over a whole memory."""
    assert (value.shape, value.dtype) == (buffer.shape, buffer.dtype)
    if isinstance(buffer.owner, np.ndarray):
        buffer.owner[...] = value
    else:
        assert isinstance(buffer.owner, ort.OrtValue)
        buffer.owner.update_inplace(value)


class _OnnxBoundRun:
    """A `BoundRun` on ONNX Runtime: names are bound once, small inputs at every run."""

    def __init__(
        self,
        session: ort.InferenceSession,
        inputs: Mapping[str, Buffer],
        outputs: Mapping[str, Buffer],
        returned: Sequence[str],
        options: ort.RunOptions | None = None,
    ) -> None:
        self._session = session
        self._options = options
        self._binding = session.io_binding()
        self._kept = [buffer.owner for buffer in (*inputs.values(), *outputs.values())]
        self._count = len(returned)
        for name in returned:
            self._binding.bind_output(name, "cpu")
        for name, buffer in inputs.items():
            self._binding.bind_input(name, *_address(buffer))
        for name, buffer in outputs.items():
            self._binding.bind_output(name, *_address(buffer))

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Run with the other inputs; return the outputs that have no lasting memory."""
        for name, value in feeds.items():
            self._binding.bind_cpu_input(name, value)
        self._session.run_with_iobinding(self._binding, self._options)
        if not self._count:
            return []  # asking for the outputs wraps each of them, the lasting ones, too
        return [value.numpy() for value in self._binding.get_outputs()[: self._count]]


def host_memory(shape: Sequence[int], dtype: np.dtype[np.generic]) -> Buffer:
    """Return zeros in the memory of this process; its owner is the array."""
    zeros = np.zeros(tuple(shape), dtype)
    return Buffer(zeros, zeros.ctypes.data, zeros.shape, zeros.dtype, "cpu")


def _copy(source: Buffer, target: Buffer) -> None:
    """Copy memory of a device to another place on it."""
    session = _copying_session(source.provider, source.dtype)
    _OnnxBoundRun(session, {"source": source}, {"target": target}, []).run({})


@cache
def _copying_session(provider: Provider, dtype: np.dtype[np.generic]) -> ort.InferenceSession:
    """Return a graph that copies: the runtime has no copy between two places of one device."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    values = [onnx.helper.make_tensor_value_info(name, kind, None) for name in ("source", "target")]
    node = onnx.helper.make_node("Identity", ["source"], ["target"])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "copy", values[:1], values[1:]),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=9,
    )
    return _written_session(model.SerializeToString(), provider, SessionOptions(threads=1))


def _written_session(
    graph: bytes, provider: Provider, options: SessionOptions
) -> ort.InferenceSession:
    """Return a session on a graph that the program wrote."""
    return ort.InferenceSession(
        graph, _session_options(provider, options), providers=_provider_list(provider, options)
    )


def open_graph(graph: bytes, provider: Provider, options: SessionOptions) -> OnnxSession:
    """Load a graph that the program wrote, which has no file and no weights beside it.

    Args:
        graph: Its bytes.
        provider: Where memory lies that it is bound to.
        options: How it is run; its provider is not asked for.
    """
    return OnnxSession(_written_session(graph, provider, options), provider)


def open_session(path: Path, options: SessionOptions, graph: bytes | None = None) -> OnnxSession:
    """Load a graph.

    Args:
        path: The file; weights that it keeps beside itself are found from here.
        options: How it is run.
        graph: Its bytes where they were changed after reading.

    Raises:
        ArtifactError: The file is missing or no graph that the runtime can run, or CUDA was asked
            for and is not there.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: there is no such file")
    provider = options.provider or ("cuda" if "cuda" in available_providers() else "cpu")
    if provider not in available_providers():
        raise ArtifactError(f"{path}: provider '{provider}' was asked for, but {cuda_problem()}")
    settings = _session_options(provider, options)
    settings.add_session_config_entry(_WEIGHTS_FOLDER, str(path.parent))
    try:
        with large_pages() if provider == "cpu" else contextlib.nullcontext():
            session = ort.InferenceSession(
                str(path) if graph is None else graph,
                settings,
                providers=_provider_list(provider, options, cuda_graphs=options.cuda_graphs),
            )
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise ArtifactError(f"{path}: ONNX Runtime cannot load it: {error}") from error
    if _PROVIDERS[provider] not in session.get_providers():
        raise ArtifactError(f"{path}: the CUDA provider did not start; see the log above")
    return OnnxSession(session, provider, cuda_graphs=options.cuda_graphs)


@cache
def available_providers() -> tuple[Provider, ...]:
    """Return what graphs can run on here, the fastest first."""
    return ("cpu",) if cuda_problem() else ("cuda", "cpu")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


@cache
def cuda_problem() -> str | None:
    """Say why graphs cannot run on CUDA here; None where they can.

    The wheel lists the CUDA provider on every machine, so the driver itself is asked for devices.
    """
    if _PROVIDERS["cuda"] not in ort.get_available_providers():
        return "this build of onnxruntime has no CUDA provider (install onnxruntime-gpu)"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver (libcuda.so.1)"
    count = ctypes.c_int(0)
    if (
        driver.cuInit(0) != 0
        or driver.cuDeviceGetCount(ctypes.byref(count)) != 0
        or not count.value
    ):
        return "the NVIDIA driver finds no device"
    # Loads the CUDA and cuDNN libraries that the extra `cuda` brings as wheels.
    ort.preload_dlls()
    return None


def runtime_version() -> str:
    """Return the version of ONNX Runtime."""
    version: str = ort.__version__
    return version


def _address(buffer: Buffer) -> tuple[str, int, type[np.generic], tuple[int, ...], int]:
    """Return device, its number, type, shape and pointer, as the runtime takes them."""
    return buffer.provider, 0, buffer.dtype.type, buffer.shape, buffer.pointer


def _session_options(provider: Provider, options: SessionOptions) -> ort.SessionOptions:
    result = ort.SessionOptions()
    result.intra_op_num_threads = options.threads or cores()
    result.inter_op_num_threads = 1
    result.log_severity_level = 3
    result.add_session_config_entry(_SPIN_US, "100")
    # Shapes change at every run: a plan of memory for each of them would pile up and fit none.
    result.enable_mem_pattern = False
    if provider == "cpu":
        # What weights leave in the arena when they are packed would fill with scattered arrays. On
        # a GPU they stay in the arena, which has a bound.
        result.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return result


def _provider_list(
    provider: Provider, options: SessionOptions, *, cuda_graphs: bool = False
) -> list[str | tuple[str, dict[str, str]]]:
    if provider == "cpu":
        return [_PROVIDERS["cpu"]]
    # Batches differ in shape: doubling the arena at each growth would hold memory that nobody uses.
    settings = {"arena_extend_strategy": "kSameAsRequested"}
    if cuda_graphs:
        settings["enable_cuda_graph"] = "1"
    if options.gpu_memory_bytes is not None:
        settings["gpu_mem_limit"] = str(options.gpu_memory_bytes)
    return [(_PROVIDERS["cuda"], settings), _PROVIDERS["cpu"]]
