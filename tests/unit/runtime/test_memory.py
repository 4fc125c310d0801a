"""Memory that nobody uses goes back to the system."""

import psutil

from services.runtime import memory

PIECE_BYTES = 4096
"""Small enough that the C library keeps it for the next allocation."""


def resident_bytes():
    return psutil.Process().memory_info().rss


def test_what_was_freed_in_small_pieces_goes_back():
    memory.give_back()
    before = resident_bytes()
    pieces = [bytearray(PIECE_BYTES) for _ in range(20_000)]
    holding = resident_bytes()
    last = pieces[-1]  # keeps the heap from shrinking by itself
    del pieces

    memory.give_back()

    assert len(last) == PIECE_BYTES
    assert holding - before > 60e6
    assert resident_bytes() - before < 20e6
