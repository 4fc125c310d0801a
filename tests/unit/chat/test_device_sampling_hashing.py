"""The hash that the device computes from sums and tables, against one of integers."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chat.engine.device_sampling.hashing import (
    PIECES,
    add_hash,
    key_pieces,
    token_pieces,
)
from services.chat.engine.device_sampling.nodes import Nodes
from services.chat.engine.device_sampling.spread_bits import products, spread, spread_byte
from tests.unit.chat.properties import same_examples

bytes_of_a_word = st.integers(0, 255)


def slow_hash(key, token):
    """Lowbias32 in Python's integers, keyed before both products."""
    bits = token ^ (key & 0xFFFFFFFF)
    bits = (bits ^ bits >> 16) * 0x7FEB352D & 0xFFFFFFFF
    bits ^= key >> 32
    bits = (bits ^ bits >> 15) * 0x846CA68B & 0xFFFFFFFF
    return bits ^ bits >> 16


@pytest.fixture(scope="module")
def hashes():
    """Return the hash of tokens with keys, (keys, tokens), for some tokens."""
    tokens = np.array([0, 1, 255, 256, 8191, 65535, 65536, 151_935, 2**24 - 1], np.uint32)
    nodes = Nodes()
    keys = nodes.input("keys", np.int32, ["rows", PIECES])
    pieces = nodes.add_many("Split", PIECES, keys, axis=1, num_outputs=PIECES)
    graph = nodes.model({"hash": (add_hash(nodes, token_pieces(tokens), pieces), np.uint32)})
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def run(keys):
        (result,) = session.run(["hash"], {"keys": key_pieces(np.array(keys, np.uint64))})
        return tokens.tolist(), result

    return run


@settings(same_examples, max_examples=100)
@given(keys=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5))
def test_the_hash_is_that_of_integers(hashes, keys):
    tokens, found = hashes(keys)

    expected = [[slow_hash(key, token) for token in tokens] for key in keys]
    np.testing.assert_array_equal(found, np.array(expected, np.uint32))


@settings(same_examples, max_examples=100)
@given(first=bytes_of_a_word, second=bytes_of_a_word, third=bytes_of_a_word)
def test_a_sum_of_up_to_three_spread_bytes_holds_their_exclusive_or(first, second, third):
    parts = [spread(np.array(part, np.uint32)) for part in (first, second, third)]

    for count in (1, 2, 3):
        expected = first ^ (second if count > 1 else 0) ^ (third if count > 2 else 0)
        assert products(0, 1)[sum(parts[:count])] == expected


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("factor", [1, 0x846CA68B])
def test_products_are_those_of_the_bytes_in_their_places(rng, place, factor):
    words = rng.integers(0, 2**32, size=100, dtype=np.uint32)

    found = products(place, factor)[spread_byte(words, place)]

    expected = (words & np.uint32(0xFF << 8 * place)) * np.uint32(factor)
    np.testing.assert_array_equal(found, expected)
