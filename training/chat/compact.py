"""Checkpoints without what only the optimizers need, small enough to be kept with the sources.

`python -m training.chat.compact` writes one of the training in progress; `train --start` begins
with it.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from training.chat.checkpoints import save


def compacted(state: dict[str, Any]) -> dict[str, Any]:
    """Return the averaged weights alone, in bfloat16."""
    weights = {name: each.bfloat16() for name, each in state["average"].items()}
    kept = {key: state[key] for key in ("shape", "step", "tokenizer")}
    return {**kept, "average": weights}


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("build/training/chat/checkpoint.pt")
    )
    parser.add_argument("--output", type=Path, default=Path("build/training/chat/compact.pt"))
    told = parser.parse_args()
    save(compacted(torch.load(told.checkpoint, mmap=True)), told.output)


if __name__ == "__main__":
    main()
