"""Checkpoints: what they hold, and how they are written, whole or not at all."""

from pathlib import Path
from typing import Any

import torch


def save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint in the place of the one before."""
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def started_anew(state: dict[str, Any]) -> dict[str, Any]:
    """Return the averaged weights as the beginning of another training."""
    return {
        "shape": state["shape"],
        "step": 0,
        "steps_before": state["steps_before"] + state["step"],
        "tokenizer": state["tokenizer"],
        "average": state["average"],
    }
