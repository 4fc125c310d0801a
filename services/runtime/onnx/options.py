"""How ONNX Runtime is told to run a graph."""

import onnxruntime as ort

from services.runtime.onnx.devices import PROVIDERS, cores
from services.runtime.onnx.session import Provider, SessionOptions

_SPIN_US = "session.intra_op.spin_duration_us"
"""How long threads wait awake for the next operator. Left alone they spin for 25 ms after a run,
on cores that others need meanwhile; between two operators of a decoder there are 50 µs at most."""


def session_options(provider: Provider, options: SessionOptions) -> ort.SessionOptions:
    """Return threads and memory of a session."""
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


def provider_list(
    provider: Provider, options: SessionOptions, *, cuda_graphs: bool = False
) -> list[str | tuple[str, dict[str, str]]]:
    """Return the providers of a session with their options, the one that was chosen first.

    Args:
        provider: Which was chosen.
        options: How graphs are run.
        cuda_graphs: Whether some runs are recorded.
    """
    if provider == "cpu":
        return [PROVIDERS["cpu"]]
    # Batches differ in shape: doubling the arena at each growth would hold memory that nobody uses.
    settings = {"arena_extend_strategy": "kSameAsRequested"}
    if cuda_graphs:
        settings["enable_cuda_graph"] = "1"
    if options.gpu_memory_bytes is not None:
        settings["gpu_mem_limit"] = str(options.gpu_memory_bytes)
    return [(PROVIDERS["cuda"], settings), PROVIDERS["cpu"]]
