"""Opens graphs on ONNX Runtime."""

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from services.runtime.artifacts import ArtifactError
from services.runtime.large_pages import large_pages
from services.runtime.onnx.bound_runs import OnnxBoundRun, RecordedRun
from services.runtime.onnx.copying import copy_memory, written_session
from services.runtime.onnx.devices import PROVIDERS, available_providers, cuda_problem
from services.runtime.onnx.options import provider_list, session_options
from services.runtime.onnx.session import (
    Array,
    BoundRun,
    Buffer,
    Provider,
    SessionOptions,
    host_memory,
)

# The runtime would note a session id in the temporary folder and, on some platforms, call home.
ort.disable_telemetry_events()

_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
"""Where weights outside the graph lie; a graph that comes as bytes does not know."""
_NO_RECORDING = -1
"""The number of a run that is not recorded, where others are."""


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
            copy_memory(buffer.rows(source, 1), buffer.rows(target, 1))

    def bind(
        self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer], returned: Sequence[str]
    ) -> BoundRun:
        """Return a run with lasting inputs and outputs, which may be the same memory."""
        return OnnxBoundRun(self._session, inputs, outputs, returned, self._plainly)

    def record(
        self, inputs: Mapping[str, Buffer], outputs: Mapping[str, Buffer], fed: Mapping[str, Array]
    ) -> BoundRun:
        """Return a run whose kernels a device records, to launch all of them at once from then on.

        See `BindingSession`; on the CPU it is an ordinary run.
        """
        memory = {name: self.allocate(value.shape, value.dtype) for name, value in fed.items()}
        options = self._recording(next(self._recordings))
        run = OnnxBoundRun(self._session, {**inputs, **memory}, outputs, [], options)
        return RecordedRun(run, memory)

    def _recording(self, number: int) -> ort.RunOptions | None:
        """Return options of a run that is recorded under a number, and launched from its record."""
        if not self._is_told_numbers:
            return None
        options = ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(number))
        return options


def open_graph(graph: bytes, provider: Provider, options: SessionOptions) -> OnnxSession:
    """Load a graph that the program wrote, which has no file and no weights beside it.

    Args:
        graph: Its bytes.
        provider: Where memory lies that it is bound to.
        options: How it is run; its provider is not asked for.
    """
    return OnnxSession(written_session(graph, provider, options), provider)


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
    settings = session_options(provider, options)
    settings.add_session_config_entry(_WEIGHTS_FOLDER, str(path.parent))
    try:
        with large_pages() if provider == "cpu" else contextlib.nullcontext():
            session = ort.InferenceSession(
                str(path) if graph is None else graph,
                settings,
                providers=provider_list(provider, options, cuda_graphs=options.cuda_graphs),
            )
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise ArtifactError(f"{path}: ONNX Runtime cannot load it: {error}") from error
    if PROVIDERS[provider] not in session.get_providers():
        raise ArtifactError(f"{path}: the CUDA provider did not start; see the log above")
    return OnnxSession(session, provider, cuda_graphs=options.cuda_graphs)


def runtime_version() -> str:
    """Return the version of ONNX Runtime."""
    version: str = ort.__version__
    return version
