"""Runs of a session on lasting memory, plain and recorded."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort

from services.runtime.onnx.session import Array, BoundRun, Buffer


class OnnxBoundRun:
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


class RecordedRun:
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


def _address(buffer: Buffer) -> tuple[str, int, type[np.generic], tuple[int, ...], int]:
    """Return device, its number, type, shape and pointer, as the runtime takes them."""
    return buffer.provider, 0, buffer.dtype.type, buffer.shape, buffer.pointer
