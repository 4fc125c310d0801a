"""Checkpoints on disk: written whole or not at all."""

from pathlib import Path
from typing import Any

import torch


def save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint in the place of the one before."""
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)
