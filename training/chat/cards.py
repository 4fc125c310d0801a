"""The card of a model: what it is and how it was trained, read off its checkpoint."""

from pathlib import Path
from typing import Any

from training.chat.config import Architecture, Schedule

_CARD = Path(__file__).parent / "card.md"
_TOKENS_S = 9000
"""What two CPU cores were measured to train in a second."""
_WEIGHTS = {
    "int8": "int8 in blocks of 32 (ONNX Runtime `MatMulNBits`)",
    "int4": "int4 in blocks of 32 (ONNX Runtime `MatMulNBits`)",
    "fp32": "fp32",
}
_HISTORY = (
    " This one was not trained in one go: its last {steps} steps\n"
    "went on from the weights of {before} steps before them (`training.chat.train --start …`), the"
    " tables grew meanwhile, and the\ntokenizer changed once. What a training from the start gives"
    " was not measured."
)


def card(state: dict[str, Any], precision: str) -> str:
    """Return the card of a checkpoint, scores still to come.

    Args:
        state: Of the checkpoint.
        precision: Of the exported weights: `int8`, `int4` or `fp32`.
    """
    shape = Architecture(**state["shape"])
    before, steps = int(state["steps_before"]), int(state["step"])
    batch = Schedule().batch_tokens
    parameters = sum(each.numel() for each in state["average"].values())
    told = {
        "parameters": f"{parameters / 1e6:.1f}",
        "shape": (
            f"{shape.layers} layers, width {shape.width}, {shape.heads} query and"
            f" {shape.kv_heads} key heads of {shape.head}, feed-forward {shape.hidden},"
            f" {shape.vocabulary} tokens, tied embeddings"
        ),
        "context": str(shape.context_tokens),
        "weights": _WEIGHTS[precision],
        "steps": f"{before + steps:,}",
        "batch": f"{batch:,}",
        "rate": f"{_TOKENS_S:,}",
        "hours": f"{(before + steps) * batch / _TOKENS_S / 3600:.1f}",
        "history": _HISTORY.format(steps=f"{steps:,}", before=f"{before:,}") if before else "",
    }
    text = _CARD.read_text(encoding="utf-8")
    for name, value in told.items():
        text = text.replace(f"{{{name}}}", value)
    return text
