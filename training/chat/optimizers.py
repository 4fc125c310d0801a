"""Muon for the matrices inside of layers, AdamW for all else."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients that bring singular values near one in few steps."""


class Muon(torch.optim.Optimizer):
    """Momentum whose every update is made orthogonal.

    Source: https://kellerjordan.github.io/posts/muon/
    """

    def __init__(self, parameters: Iterable[Tensor], rate: float, decay: float) -> None:
        super().__init__(parameters, {"lr": rate, "decay": decay, "momentum": 0.95})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Update every matrix; those of one shape together."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                by_shape[matrix.shape].append(matrix)
            for matrices in by_shape.values():
                self._step(group, matrices)

    def _step(self, group: dict[str, Any], matrices: list[Tensor]) -> None:
        momentum = group["momentum"]
        directions = []
        for matrix in matrices:
            state = self.state[matrix]
            average = state.setdefault("momentum", torch.zeros_like(matrix))
            average.lerp_(matrix.grad, 1 - momentum)
            directions.append(matrix.grad.lerp(average, momentum))
        rows, columns = matrices[0].shape
        scale = max(1.0, rows / columns) ** 0.5
        for matrix, update in zip(matrices, orthogonal(torch.stack(directions)), strict=True):
            matrix.mul_(1 - group["lr"] * group["decay"])
            matrix.add_(update.to(matrix.dtype), alpha=-group["lr"] * scale)


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return matrices with the same singular vectors and singular values near one.

    Args:
        matrices: (count, rows, columns)
        steps: Newton-Schulz iterations.
    """
    a, b, c = _QUINTIC
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16().mT if is_tall else matrices.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if is_tall else x


def optimizers(
    model: nn.Module, muon_rate: float, adam_rate: float, decay: float
) -> tuple[torch.optim.Optimizer, ...]:
    """Return the optimizers that together own all parameters of a decoder."""
    named = list(model.named_parameters())
    matrices = [each for name, each in named if each.ndim == 2 and name.startswith("layers.")]
    others = [each for name, each in named if each.ndim != 2 or not name.startswith("layers.")]
    adam = torch.optim.AdamW(others, adam_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    return Muon(matrices, muon_rate, decay), adam
