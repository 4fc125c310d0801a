import sys
from pathlib import Path

from gateway.binary import find_envoy


def test_the_envoy_of_this_environment_comes_first() -> None:
    assert find_envoy() == Path(sys.executable).parent / "envoy"
