"""A service that dies and comes back."""

import time
from collections.abc import Callable
from contextlib import closing

from tests.contract.gateway import backends
from tests.contract.gateway.mesh import Gateway

StartGateway = Callable[..., Gateway]


def answered_within(gateway: Gateway, status: int, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while gateway.post().status != status:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_killed_service_is_a_503_at_once_and_back_within_a_second(
    start_gateway: StartGateway, services: tuple[backends.Backend, backends.Backend]
) -> None:
    first = backends.embeddings()
    gateway = start_gateway(first.port, services[1].port, health_interval_s=1.0)
    assert gateway.post().status == 200

    first.close()
    started = time.monotonic()
    answers = [gateway.post() for _ in range(5)]
    lasted_s = time.monotonic() - started

    assert {answer.status for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"2"}
    assert answers[0].error["code"] == "service_unavailable"
    assert lasted_s < 2.0
    with closing(backends.embeddings(first.port)):
        assert answered_within(gateway, 200, limit_s=1.5)


def test_many_errors_of_callers_do_not_set_a_service_aside(gateway: Gateway) -> None:
    for status in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"):
        for _ in range(8):
            gateway.post(do="abort", status=status)

    assert gateway.post().status == 200


def test_a_gateway_without_a_front_desk_lives_but_is_not_ready(
    start_gateway: StartGateway, services: tuple[backends.Backend, backends.Backend]
) -> None:
    nobody = backends.front_desk()
    nobody.close()

    gateway = start_gateway(services[0].port, nobody.port)

    assert gateway.send("GET", "/healthz").status == 200
    assert gateway.send("GET", "/readyz").status == 503
    assert gateway.post().status == 200
