"""Exports a checkpoint for the chat service: `python -m training.chat.export [--output …]`.

Weights become int8 in blocks of 32, the embedding and the head share theirs.

Source: https://onnxruntime.ai/docs/genai/howto/build-model.html
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
import torch

from training.chat.cards import card
from training.chat.huggingface import write_checkpoint
from training.chat.shipped import STEPS

_OPTIONS = ("shared_embeddings=true", "block_size=32", "accuracy_level=4", "prune_lm_head=true")
_TOLD_CHARACTERS = 2000
_KEPT = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
"""Files that stay as this package writes them: the builder writes its own views of some."""


def export(checkpoint: Path, folder: Path, precision: str = "int8") -> None:
    """Write the model folder of a checkpoint.

    Args:
        checkpoint: Of a training.
        folder: Made if absent.
        precision: `int8`, `int4` or `fp32`.

    Raises:
        RuntimeError: The builder failed; the message has the end of what it said.
    """
    state = torch.load(checkpoint, mmap=True)
    with tempfile.TemporaryDirectory() as scratch:
        source, built = Path(scratch, "source"), Path(scratch, "built")
        write_checkpoint(state, source)
        _build(source, built, precision)
        folder.mkdir(parents=True, exist_ok=True)
        # One file: the weights are small enough to stand in the graph.
        model = onnx.load(built / "model.onnx")
        onnx.helper.set_model_props(model, {STEPS: str(state["step"] + state["steps_before"])})
        onnx.save(model, folder / "model.onnx")
        shutil.copyfile(built / "genai_config.json", folder / "genai_config.json")
        (folder / "README.md").write_text(card(state, precision), encoding="utf-8")
        for name in _KEPT:
            shutil.copyfile(source / name, folder / name)


def _build(source: Path, built: Path, precision: str) -> None:
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    command += ["-i", str(source), "-o", str(built), "-p", precision, "-e", "cpu"]
    command += ["-c", str(built / "cache"), "--extra_options", *_OPTIONS]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if run.returncode:
        raise RuntimeError(f"the builder failed:\n{run.stderr[-_TOLD_CHARACTERS:]}")


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description="Exports a checkpoint for the chat service.")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=Path("build/training/chat/checkpoint.pt"),
        help="of training.chat.train",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("models/starter-chat"),
        help="the model folder; its files are written over",
    )
    parser.add_argument("--precision", default="int8", choices=("int8", "int4", "fp32"))
    told = parser.parse_args()
    export(told.checkpoint, told.output, told.precision)


if __name__ == "__main__":
    main()
