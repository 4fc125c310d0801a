"""Shorter vectors from longer ones: Matryoshka dimensions."""

from services.embeddings.engine.pooling import Floats, normalize
from services.runtime.errors import InvalidRequestError


def check_dimensions(dimensions: int | None, width: int, model: str) -> None:
    """Refuse a length that the model cannot give.

    Raises:
        InvalidRequestError: `dimensions` is more than the model's width.
    """
    if dimensions is not None and dimensions > width:
        raise InvalidRequestError(
            f"Invalid value for 'dimensions': the model '{model}' gives 1 to {width} numbers,"
            f" not {dimensions}.",
            param="dimensions",
            code="invalid_value",
        )


def shorten(vectors: Floats, dimensions: int | None) -> Floats:
    """Keep the first numbers of each vector and scale it back to unit length.

    Args:
        vectors: Shape (texts, width).
        dimensions: How many to keep, 1 to width; None keeps the vectors as they are.

    Returns:
        Shape (texts, dimensions).

    Source: Kusupati et al. 2022, "Matryoshka Representation Learning", section 3.
    """
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    return normalize(vectors[:, :dimensions])
