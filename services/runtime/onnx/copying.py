"""Copies memory of a device to another place on it, which the runtime has no call for."""

from functools import cache

import numpy as np
import onnx
import onnxruntime as ort

from services.runtime.onnx.bound_runs import OnnxBoundRun
from services.runtime.onnx.options import provider_list, session_options
from services.runtime.onnx.session import Buffer, Provider, SessionOptions


def copy_memory(source: Buffer, target: Buffer) -> None:
    """Copy memory of a device to another place on it."""
    session = _copying_session(source.provider, source.dtype)
    OnnxBoundRun(session, {"source": source}, {"target": target}, []).run({})


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
    return written_session(model.SerializeToString(), provider, SessionOptions(threads=1))


def written_session(
    graph: bytes, provider: Provider, options: SessionOptions
) -> ort.InferenceSession:
    """Return a session on a graph that the program wrote."""
    return ort.InferenceSession(
        graph, session_options(provider, options), providers=provider_list(provider, options)
    )
