"""The tensors of a BERT checkpoint, looked up by name and checked against the config."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from models.errors import MissingTensorError, ModelFileError

FloatArray = NDArray[np.float32]


class BertWeights:
    """A checkpoint's tensors as float32, whether or not their names begin with `bert.`."""

    def __init__(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self._tensors = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}

    @classmethod
    def from_safetensors(cls, content: bytes, file: str = "model.safetensors") -> BertWeights:
        """Read the bytes of a safetensors file.

        Raises:
            ModelFileError: the bytes are damaged, or hold a type that numpy lacks.
        """
        try:
            return cls(load(content))
        except (SafetensorError, KeyError, ValueError) as error:
            raise ModelFileError(file, f"is not a readable safetensors file ({error})") from error

    def tensor(self, name: str, *shape: int) -> FloatArray:
        """The tensor of that name, in float32.

        Raises:
            MissingTensorError: there is none, or it has another shape.
        """
        if name not in self._tensors:
            raise MissingTensorError(name, "is missing from the weights")
        found = self._tensors[name]
        if found.shape != shape:
            raise MissingTensorError(name, f"has shape {found.shape}; the config wants {shape}")
        return np.ascontiguousarray(found, dtype=np.float32)

    def linear(self, name: str, inputs: int, outputs: int) -> tuple[FloatArray, FloatArray]:
        """Weight (inputs, outputs) and bias (outputs,) of a torch `Linear`, ready for x @ w + b."""
        weight = self.tensor(f"{name}.weight", outputs, inputs)
        return np.ascontiguousarray(weight.T), self.tensor(f"{name}.bias", outputs)

    def replaced(self, tensors: Mapping[str, NDArray[np.generic]]) -> BertWeights:
        """The same weights but for these."""
        return BertWeights({**self._tensors, **tensors})
