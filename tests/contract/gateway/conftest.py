"""The gateway that the tests share, and a way to start others."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from gateway.binary import find_envoy
from services.runtime.config import Settings
from tests.contract.gateway import backends
from tests.contract.gateway.mesh import Gateway, run_envoy


@pytest.fixture(scope="session")
def envoy() -> Path:
    path = find_envoy()
    assert path, "the development environment brings Envoy"
    return path


@pytest.fixture(scope="session")
def start_gateway(
    envoy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Gateway]]:
    """Start gateways in front of given ports; keyword arguments are gateway settings."""
    with ExitStack() as stack:

        def start(embeddings_port: int, desk_port: int, **gateway: Any) -> Gateway:
            settings = Settings(
                gateway={"port": 0, "admin_port": 0, "health_interval_s": 0.2, **gateway},
                frontdesk={"port": desk_port},
                embeddings={"port": embeddings_port},
            )
            folder = tmp_path_factory.mktemp("gateway")
            return stack.enter_context(run_envoy(envoy, settings, folder))

        yield start


@pytest.fixture(scope="session")
def services() -> Iterator[tuple[backends.Backend, backends.Backend]]:
    """Embeddings and front desk."""
    with closing(backends.embeddings()) as embeddings, closing(backends.front_desk()) as desk:
        yield embeddings, desk


@pytest.fixture(scope="session")
def gateway(
    start_gateway: Callable[..., Gateway], services: tuple[backends.Backend, backends.Backend]
) -> Gateway:
    """The gateway that most tests share: whatever they do to it must leave it as it was."""
    embeddings, desk = services
    return start_gateway(embeddings.port, desk.port, max_body_bytes=2**20)
