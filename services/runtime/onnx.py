"""ONNX Runtime sessions: providers, threads, device buffers. The only importer of onnxruntime."""

import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from services.runtime.artifacts import ArtifactError

# The runtime would note a session id in the temporary folder and, on some platforms, call home.
ort.disable_telemetry_events()

Array = NDArray[np.generic]
Provider = Literal["cuda", "cpu"]

_PROVIDERS: dict[Provider, str] = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a graph is run."""

    provider: Provider | None = None
    """`cuda` or `cpu`; None takes CUDA where there is a device."""
    threads: int = 0
    """Threads of one run on the CPU; 0 takes one a core."""
    gpu_memory_bytes: int | None = None
    """The most that the session's arena takes on the device; None sets no bound."""


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


class OnnxSession:
    """A `Session` on ONNX Runtime. Several threads may run it at once."""

    def __init__(self, session: ort.InferenceSession, provider: Provider) -> None:
        self._session = session
        self._provider = provider
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
        results: list[Array] = self._session.run(list(outputs), dict(feeds))
        return results


def open_session(path: Path, options: SessionOptions) -> OnnxSession:
    """Load a graph.

    Raises:
        ArtifactError: The file is missing or no graph that the runtime can run, or CUDA was asked
            for and is not there.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: there is no such file")
    provider = options.provider or ("cuda" if "cuda" in available_providers() else "cpu")
    if provider not in available_providers():
        raise ArtifactError(f"{path}: provider '{provider}' was asked for, but {cuda_problem()}")
    try:
        session = ort.InferenceSession(
            str(path), _session_options(options), providers=_provider_list(provider, options)
        )
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise ArtifactError(f"{path}: ONNX Runtime cannot load it: {error}") from error
    if _PROVIDERS[provider] not in session.get_providers():
        raise ArtifactError(f"{path}: the CUDA provider did not start; see the log above")
    return OnnxSession(session, provider)


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


def _session_options(options: SessionOptions) -> ort.SessionOptions:
    result = ort.SessionOptions()
    result.intra_op_num_threads = options.threads or cores()
    result.inter_op_num_threads = 1
    result.log_severity_level = 3
    return result


def _provider_list(
    provider: Provider, options: SessionOptions
) -> list[str | tuple[str, dict[str, str]]]:
    if provider == "cpu":
        return [_PROVIDERS["cpu"]]
    # Batches differ in shape: doubling the arena at each growth would hold memory that nobody uses.
    settings = {"arena_extend_strategy": "kSameAsRequested"}
    if options.gpu_memory_bytes is not None:
        settings["gpu_mem_limit"] = str(options.gpu_memory_bytes)
    return [(_PROVIDERS["cuda"], settings), _PROVIDERS["cpu"]]
