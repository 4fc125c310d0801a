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

from training.chat.config import Schedule
from training.chat.huggingface import write_checkpoint
from training.chat.shipped import STEPS

_OPTIONS = ("shared_embeddings=true", "block_size=32", "accuracy_level=4", "prune_lm_head=true")
_CARD = Path(__file__).parent / "card.md"
_TOKENS_S = 9000
"""What two CPU cores were measured to train in a second."""
_KEPT = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
"""Files that stay as this package writes them: the builder writes its own views of some."""


def export(checkpoint: Path, folder: Path, precision: str = "int8") -> None:
    """Write the model folder of a checkpoint.

    Args:
        checkpoint: Of a training.
        folder: Made if absent.
        precision: `int8`, `int4` or `fp32`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, built = Path(scratch, "source"), Path(scratch, "built")
        write_checkpoint(checkpoint, source)
        _build(source, built, precision)
        folder.mkdir(parents=True, exist_ok=True)
        # One file: the weights are small enough to stand in the graph.
        model = onnx.load(built / "model.onnx")
        onnx.helper.set_model_props(model, {STEPS: str(_steps(checkpoint))})
        onnx.save(model, folder / "model.onnx")
        shutil.copyfile(built / "genai_config.json", folder / "genai_config.json")
        (folder / "README.md").write_text(_card(checkpoint), encoding="utf-8")
        for name in _KEPT:
            shutil.copyfile(source / name, folder / name)


def _card(checkpoint: Path) -> str:
    """Return the model card, scores still to come."""
    steps, batch = _steps(checkpoint), Schedule().batch_tokens
    told = {
        "steps": f"{steps:,}",
        "batch": f"{batch:,}",
        "millions": f"{steps * batch / 1e6:.0f}",
        "rate": f"{_TOKENS_S:,}",
        "hours": f"{steps * batch / _TOKENS_S / 3600:.1f}",
    }
    text = _CARD.read_text(encoding="utf-8")
    for name, value in told.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _steps(checkpoint: Path) -> int:
    """Return how many steps its weights were trained, those before its start among them."""
    state = torch.load(checkpoint, mmap=True)
    return int(state["step"]) + int(state["steps_before"])


def _build(source: Path, built: Path, precision: str) -> None:
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    command += ["-i", str(source), "-o", str(built), "-p", precision, "-e", "cpu"]
    command += ["-c", str(built / "cache"), "--extra_options", *_OPTIONS]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own arguments


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("build/training/chat/checkpoint.pt")
    )
    parser.add_argument("--output", type=Path, default=Path("models/starter-chat"))
    parser.add_argument("--precision", default="int8", choices=("int8", "int4", "fp32"))
    told = parser.parse_args()
    export(told.checkpoint, told.output, told.precision)


if __name__ == "__main__":
    main()
