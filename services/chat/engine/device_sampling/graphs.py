"""Graphs that are opened when they are first needed, and run on the device's logits."""

from collections.abc import Callable, Hashable, Mapping

from services.runtime.onnx import Array, BindingSession, BoundRun, Buffer

OpenGraph = Callable[[bytes], BindingSession]
"""Opens a graph where the logits are."""


class Graphs:
    """Graphs by what they do."""

    def __init__(self, logits: Buffer, open_graph: OpenGraph) -> None:
        """Take the logits of all slots, which every graph has as an input."""
        self._logits = logits
        self._open_graph = open_graph
        self._sessions: dict[Hashable, BindingSession] = {}
        self._bound: dict[tuple[Hashable, int], BoundRun] = {}

    def run(
        self, what: Hashable, write: Callable[[], bytes], feeds: Mapping[str, Array], rows: int
    ) -> dict[str, Array]:
        """Return the outputs of a graph, by name; they are gone with its next run.

        Args:
            what: What it does.
            write: Returns it where it is not open.
            feeds: Its inputs but for the logits.
            rows: How many rows its outputs have.
        """
        session = self._sessions.get(what)
        if session is None:
            session = self._sessions[what] = self._open_graph(write())
        # The runtime keeps outputs between the runs of a binding, so their shapes stay.
        bound = self._bound.get((what, rows))
        if bound is None:
            bound = session.bind({"logits": self._logits}, {}, session.outputs)
            self._bound[what, rows] = bound
        return dict(zip(session.outputs, bound.run(feeds), strict=True))
