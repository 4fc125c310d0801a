"""What people see."""

import io
import json
import shlex

import pytest

from console.config import overridden
from console.directory import Endpoint, Model
from console.screen import Screen
from console.tables import (
    addresses_table,
    endpoints_table,
    example,
    memory,
    models_table,
    overview,
)
from services.runtime.config import Settings

SMALL = Model(
    id="small",
    state="ready",
    provider="cpu",
    endpoint="POST /v1/embeddings",
    aliases=("s", "ada"),
    memory_mib=23,
)
BROKEN = Model(id="big [red]", state="failed", state_detail="/models/big: there is no such folder")


def screen() -> Screen:
    return Screen(io.StringIO())


def test_a_model_is_a_row_with_its_aliases_state_memory_provider_and_endpoint() -> None:
    drawn = screen().draw(models_table([SMALL]))

    assert [*filter(None, map(str.split, drawn.splitlines()))][2] == [
        *("small", "s,", "ada", "ready", "23", "MiB", "cpu", "POST", "/v1/embeddings")
    ]


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [(0, "-"), (1, "1 MiB"), (2**20 + 1, "2 MiB"), (2**30, "1.0 GiB"), (3 * 2**29, "1.5 GiB")],
)
def test_memory_is_told_in_whole_mebibytes_or_in_gibibytes(size_bytes: int, told: str) -> None:
    assert memory(size_bytes) == told


def test_a_model_that_failed_is_shown_with_its_reason_below() -> None:
    drawn = screen().draw(models_table([SMALL, BROKEN]))

    assert drawn.splitlines()[-1] == "  big [red]: /models/big: there is no such folder"


def test_an_endpoint_is_shown_with_its_service_and_models() -> None:
    endpoint = Endpoint(
        method="POST", path="/v1/embeddings", service="embeddings", state="ready", models=("a", "b")
    )

    assert "POST /v1/embeddings   embeddings   ready   a, b" in screen().draw(
        endpoints_table([endpoint])
    )


def test_addresses_are_those_of_the_settings(settings: Settings) -> None:
    drawn = screen().draw(addresses_table(overridden(settings, {("gateway", "port"): 9000})))

    for address in (
        "http://localhost:9000/v1",
        "localhost:50054",
        "http://localhost:9104/metrics",
        "http://localhost:9901/stats/prometheus",
    ):
        assert f" {address} " in drawn


def test_metrics_that_are_off_have_no_address(settings: Settings) -> None:
    settings = overridden(settings, {("embeddings", "metrics_port"): 0})

    assert ":0" not in screen().draw(addresses_table(settings))


def test_the_call_to_try_is_one_that_a_shell_reads_as_it_is_meant(settings: Settings) -> None:
    quoted = Model(id="it's", state="ready", endpoint="POST /v1/embeddings")

    words = shlex.split(example(settings, [BROKEN, quoted]))

    assert words[:2] == ["curl", "http://localhost:8080/v1/embeddings"]
    assert json.loads(words[-1])["model"] == "it's"


def test_without_a_model_that_is_ready_the_call_to_try_lists_the_models(
    settings: Settings,
) -> None:
    assert example(settings, [BROKEN]) == "curl http://localhost:8080/v1/models"


def test_no_line_ends_in_spaces_so_that_the_call_can_be_copied(settings: Settings) -> None:
    drawn = overview(screen(), settings, [SMALL], [])

    assert not [line for line in drawn.splitlines() if line != line.rstrip()]
