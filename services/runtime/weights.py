"""How much memory a graph's weights take, from the sizes of its files; nothing is read."""

from pathlib import Path

from services.runtime.artifacts import ArtifactError

_OUTSIDE = ("_data", ".data")
"""How the names of files with weights go on behind the graph's: `model.onnx_data`,
`model.onnx_data_1`, `model.onnx.data`. The format allows any name; the exporters write these.

Source: https://onnx.ai/onnx/repo-docs/ExternalData.html
"""


def weights_bytes(graph: Path) -> int:
    """Return the size of a graph with the weights that lie outside it.

    Raises:
        ArtifactError: There is no such file.
    """
    if not graph.is_file():
        raise ArtifactError(f"{graph}: there is no such file")
    names = tuple(graph.name + ending for ending in _OUTSIDE)
    outside = (file for file in graph.parent.iterdir() if file.name.startswith(names))
    return sum(file.stat().st_size for file in (graph, *outside))
