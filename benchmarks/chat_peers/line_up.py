"""Who is measured, under which names."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.chat_model import exports
from benchmarks.chat_peers.worker import Worker

ENGINE, BARE, GENAI, LLAMA = "engine, int4", "bare ORT loop, int4", "genai, int4", "llama.cpp, Q4_0"
GENAI_ENGINE = "genai's engine, int4"
CONTEXT_TOKENS = 2560
ENGINE8, LLAMA8 = "engine, int8", "llama.cpp, Q8_0"
PAIRS = ((ENGINE, LLAMA), (ENGINE, GENAI), (ENGINE, BARE), (ENGINE8, LLAMA8))
"""Who is compared with whom: like bits with like bits."""


def open_workers(models: Path, threads: int) -> dict[str, Worker]:
    """Start every candidate that is installed, and wait until it has loaded."""
    llama = find_llama()
    workers = {
        ENGINE: open_engine(models / exports.INT4, threads),
        BARE: Worker("bare", str(models / exports.INT4), str(threads)),
        GENAI: Worker("genai", str(models / exports.INT4), str(threads), "generator"),
        ENGINE8: open_engine(models / exports.INT8, threads),
    }
    if llama is not None:
        for name, file in ((LLAMA, exports.Q4), (LLAMA8, exports.Q8)):
            workers[name] = Worker("llama", str(models / file), str(threads), python=llama)
    for worker in workers.values():
        worker.call("decode", sequences=1, tokens=8, sampled=False)
    return workers


def open_engine(model: Path, threads: int, context_tokens: int = CONTEXT_TOKENS) -> Worker:
    """Start our engine."""
    return Worker("ours", str(model), str(threads), str(context_tokens))


def open_genai_engine(models: Path, threads: int) -> Worker:
    """Start onnxruntime-genai's engine, of which only whole answers can be measured."""
    return Worker("genai", str(models / exports.INT4), str(threads), "engine")


def find_llama() -> str | None:
    """Return a Python that has llama.cpp: the one that LLAMA_PYTHON names, or this one."""
    told = os.environ.get("LLAMA_PYTHON")  # noqa: TID251 - of this tool, no setting of the mesh
    is_here = importlib.util.find_spec("llama_cpp") is not None
    return told or (sys.executable if is_here else None)


def llama_version() -> str:
    """Return the version of llama.cpp's binding, or that there is none."""
    python = find_llama()
    if python is None:
        return "not installed"
    script = "from importlib.metadata import version; print(version('llama-cpp-python'))"
    told = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    return told.stdout.strip()
