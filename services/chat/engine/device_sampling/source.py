"""The logits of all slots, as a decoder leaves them on the device."""

from dataclasses import dataclass

import numpy as np

from services.chat.engine.device_sampling.nodes import Nodes


@dataclass(frozen=True, slots=True)
class Source:
    """What they are like: (slots, 1, vocabulary)."""

    vocabulary: int
    dtype: np.dtype[np.generic]
    """float16 or float32."""


def take_rows(nodes: Nodes, source: Source, slots: str) -> str:
    """Return the logits of some slots, (rows, vocabulary), in fp32.

    The input of the graph is `logits`.

    Args:
        nodes: The graph.
        source: What the logits are like.
        slots: Which, (rows, 1).
    """
    logits = nodes.input("logits", source.dtype.type, ["slots", 1, source.vocabulary])
    rows = nodes.add("Gather", logits, slots, axis=0)
    rows = nodes.add("Reshape", rows, np.array([-1, source.vocabulary]))
    return rows if source.dtype == np.float32 else nodes.cast(rows, np.float32)


def expose(nodes: Nodes, logits: str, adjusted: str) -> str:
    """Return adjusted logits with inf for what was no number: the greatest one shows it then."""
    return nodes.add("Where", nodes.add("IsNaN", logits), np.float32(np.inf), adjusted)


def write_rows(source: Source) -> bytes:
    """Return a graph that takes `logits` and `slots`, (rows, 1), and returns `values`: rows."""
    nodes = Nodes()
    slots = nodes.input("slots", np.int64, ["rows", 1])
    return nodes.model({"values": (take_rows(nodes, source, slots), np.float32)})
