"""What every test stands on: no settings from outside, seeded random numbers, quiet logs."""

import os
import random
import socket
from collections.abc import Iterator

import numpy as np
import pytest
import structlog

from tests.mesh import free_ports


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in list(os.environ):  # noqa: TID251 - to hide it
        if name.upper().startswith("SWITCHBOARD_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Write no lines that nobody reads; a test that configures logs changes no other test."""
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def seeded() -> random.Random:
    """Random numbers, the same in every run."""
    return random.Random(20260101)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random arrays, the same in every run."""
    return np.random.default_rng(20260101)


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return free_ports(1)[0]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def _drop(*_line: object) -> str:
    raise structlog.DropEvent
