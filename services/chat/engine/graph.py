"""What a decoder's graph is like, and how it is changed before it is run.

It reads and changes the graph as a file; it runs nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import onnx

from services.chat.engine.head import choose_logits
from services.chat.engine.long_rope import fix_rotations
from services.runtime.artifacts import ArtifactError

_ATTENTION = "GroupQueryAttention"


@dataclass(frozen=True, slots=True)
class Graph:
    """A decoder's graph as it is run."""

    content: bytes | None
    """The changed graph; None where the file is run as it is."""
    has_shared_cache: bool
    """Whether keys and values are written in place; else they grow by concatenation."""


def load_graph(path: Path) -> onnx.ModelProto:
    """Read a graph; weights outside the file stay where they are.

    Raises:
        ArtifactError: The file is missing or no graph.
    """
    try:
        return onnx.load(str(path), load_external_data=False)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: there is no such file") from None
    except Exception as error:  # the parser's own are of a library that engines do not know
        raise ArtifactError(f"{path}: cannot be read as a graph: {error}") from error


def prepare_graph(model: onnx.ModelProto, logits: str, *, capacity: int) -> Graph:
    """Make a graph compute the logits that are asked for, on caches that hold the whole past.

    Args:
        model: The graph, which is changed.
        logits: The name of the output.
        capacity: The most tokens of a sequence.
    """
    attentions = [node for node in model.graph.node if node.op_type == _ATTENTION]
    changes = [
        choose_logits(model, logits),
        fix_rotations(model, capacity),
        *[_keep_whole_past(node) for node in attentions],
    ]
    return Graph(model.SerializeToString() if any(changes) else None, bool(attentions))


def _keep_whole_past(attention: onnx.NodeProto) -> bool:
    """Let a cache hold all tokens where the export would have it hold a window of them.

    The mask of the window stays. A cache of the window alone drops keys as a sequence grows, so no
    prompt could be shared from its beginning, and it refuses buffers of another size.
    """
    marks = [mark for mark in attention.attribute if mark.name == "sliding_window_cache" and mark.i]
    for mark in marks:
        attention.attribute.remove(mark)
    return bool(marks)
