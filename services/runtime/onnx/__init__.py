"""ONNX Runtime sessions: providers, threads, bound memory. The only importer of onnxruntime."""

from services.runtime.onnx.devices import available_providers, cores, cuda_problem
from services.runtime.onnx.opening import OnnxSession, open_graph, open_session, runtime_version
from services.runtime.onnx.session import (
    Array,
    BindingSession,
    BoundRun,
    Buffer,
    Provider,
    Session,
    SessionOptions,
    host_memory,
)

__all__ = [
    "Array",
    "BindingSession",
    "BoundRun",
    "Buffer",
    "OnnxSession",
    "Provider",
    "Session",
    "SessionOptions",
    "available_providers",
    "cores",
    "cuda_problem",
    "host_memory",
    "open_graph",
    "open_session",
    "runtime_version",
]
