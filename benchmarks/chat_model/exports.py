"""The random network in every form that is measured, written once into a folder.

`python -m benchmarks.chat_model.exports build/bench` writes them.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gguf import GGMLQuantizationType as Quantization

from benchmarks.chat_model.checkpoint import write_checkpoint
from benchmarks.chat_model.gguf_file import write_gguf

INT4 = "int4-block128"
INT4_FINE = "int4-block32"
INT8 = "int8-block128"
Q4 = "Q4_0.gguf"
Q8 = "Q8_0.gguf"

_BUILDER = "onnxruntime_genai.models.builder"


def prepare(folder: Path) -> None:
    """Write what is missing: about three minutes and 3 GB the first time."""
    missing = [name for name in _WRITERS if not (folder / name).exists()]
    if not missing:
        return
    checkpoint = folder / ".checkpoint"
    write_checkpoint(checkpoint)
    for name in missing:
        print(f"writing {folder / name}", flush=True)
        partial = folder / f".{name}"
        shutil.rmtree(partial, ignore_errors=True)
        _WRITERS[name](checkpoint, partial)
        partial.rename(folder / name)
    shutil.rmtree(checkpoint)


def _onnx(precision: str, block: int) -> Callable[[Path, Path], None]:
    """Return a writer: all matrices by rounding to nearest, products in int8."""

    def write(checkpoint: Path, output: Path) -> None:
        options = [f"block_size={block}", "accuracy_level=4"]
        command = [sys.executable, "-W", "ignore", "-m", _BUILDER, "-e", "cpu", "-p", precision]
        folders = ["-i", str(checkpoint), "-o", str(output), "-c", str(checkpoint / "cache")]
        subprocess.run([*command, *folders, "--extra_options", *options], check=True)

    return write


def _gguf(quantization: Quantization) -> Callable[[Path, Path], None]:
    return lambda checkpoint, output: write_gguf(checkpoint, output, quantization)


_WRITERS = {
    INT4: _onnx("int4", 128),
    INT4_FINE: _onnx("int4", 32),
    INT8: _onnx("int8", 128),
    Q4: _gguf(Quantization.Q4_0),
    Q8: _gguf(Quantization.Q8_0),
}

if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
