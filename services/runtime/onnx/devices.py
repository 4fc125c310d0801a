"""What graphs can run on here: providers and cores."""

import ctypes
import os
from functools import cache

import onnxruntime as ort

from services.runtime.onnx.session import Provider

PROVIDERS: dict[Provider, str] = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
"""As ONNX Runtime calls them."""


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
    if PROVIDERS["cuda"] not in ort.get_available_providers():
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
