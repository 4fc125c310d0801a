"""How long to wait before the next start."""

import pytest

from console.supervision.backoff import Backoff, Pacing


def test_the_delay_doubles_from_a_fifth_of_a_second_to_ten_seconds() -> None:
    backoff = Backoff(Pacing())

    delays = [backoff.delay_s(ready_for_s=0.0) for _ in range(8)]

    assert delays == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])


def test_after_a_healthy_time_the_delay_is_short_again() -> None:
    backoff = Backoff(Pacing())
    for _ in range(5):
        backoff.delay_s(ready_for_s=9.9)

    assert backoff.delay_s(ready_for_s=10.0) == pytest.approx(0.2)
    assert backoff.delay_s(ready_for_s=0.0) == pytest.approx(0.4)
