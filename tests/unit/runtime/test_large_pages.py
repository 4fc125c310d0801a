"""Memory in large pages."""

import mmap
import platform
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime.large_pages import PAGE_BYTES, large_pages, without

ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
KERNEL = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
parts = st.lists(st.integers(0, 40), max_size=8, unique=True).map(
    lambda places: [*zip(*[iter(sorted(places))] * 2, strict=False)]
)


def covered(spans):
    return {place for start, end in spans for place in range(start, end)}


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(some=parts, others=parts)
def test_what_is_new_is_what_was_not_there(some, others):
    new = [*without(some, others)]

    assert covered(new) == covered(some) - covered(others)
    assert all(start < end for start, end in new)


def large_bytes():
    text = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * int(re.search(r"AnonHugePages:\s+(\d+)", text)[1])


@pytest.mark.skipif(
    KERNEL < (6, 1) or not ENABLED.exists() or "[never]" in ENABLED.read_text(),
    reason="this kernel has no large pages to be asked for",
)
def test_what_is_written_meanwhile_comes_to_lie_in_large_pages():
    before = large_bytes()

    with large_pages():
        memory = mmap.mmap(-1, 16 * PAGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.write(b"\1" * len(memory))

    assert large_bytes() - before >= 8 * PAGE_BYTES
    assert memory[:] == b"\1" * len(memory)
