"""What engines see of a loaded graph: runs, and runs on lasting memory. It knows no runtime."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Provider = Literal["cuda", "cpu"]


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


def host_memory(shape: Sequence[int], dtype: np.dtype[np.generic]) -> Buffer:
    """Return zeros in the memory of this process; its owner is the array."""
    zeros = np.zeros(tuple(shape), dtype)
    return Buffer(zeros, zeros.ctypes.data, zeros.shape, zeros.dtype, "cpu")


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
