"""Shorter vectors."""

import numpy as np
import pytest

from services.embeddings.engine.vectors import check_dimensions, shorten
from services.runtime.errors import InvalidRequestError


@pytest.mark.parametrize("dimensions", [None, 1, 8])
def test_lengths_up_to_the_width_are_fine(dimensions):
    check_dimensions(dimensions, 8, "m")


def test_more_than_the_width_hears_what_the_model_gives():
    with pytest.raises(InvalidRequestError, match="'m' gives 1 to 8 numbers, not 9") as refused:
        check_dimensions(9, 8, "m")

    assert refused.value.param == "dimensions"


def test_a_shorter_vector_is_the_beginning_at_unit_length(rng):
    vectors = rng.normal(size=(4, 8)).astype(np.float32)

    short = shorten(vectors, 3)

    expected = vectors[:, :3] / np.linalg.norm(vectors[:, :3], axis=1, keepdims=True)
    np.testing.assert_allclose(short, expected, atol=1e-6)


@pytest.mark.parametrize("dimensions", [None, 8])
def test_vectors_of_full_length_stay_as_they_are(rng, dimensions):
    vectors = rng.normal(size=(4, 8)).astype(np.float32)

    assert shorten(vectors, dimensions) is vectors
