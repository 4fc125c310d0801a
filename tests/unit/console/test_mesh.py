"""Settings into programs."""

import json
import sys
from pathlib import Path

from console.config import overridden
from console.mesh import stages
from services.runtime.config import LogSettings, Settings

ENVOY = Path("/opt/envoy")


def test_services_end_before_the_gateway_and_the_front_desk_ends_last(settings: Settings) -> None:
    names = [[program.name for program in stage] for stage in stages(settings, {}, ENVOY)]

    assert names == [["embeddings"], ["gateway"], ["frontdesk"]]


def test_a_service_is_a_module_that_the_working_directory_cannot_replace(
    settings: Settings,
) -> None:
    [[embeddings], _, [desk]] = stages(settings, {"A": "b"}, ENVOY)

    assert embeddings.command == (sys.executable, "-P", "-m", "services.embeddings")
    assert desk.command == (sys.executable, "-P", "-m", "gateway.frontdesk")
    assert embeddings.environment == {"A": "b"}


def test_a_service_may_take_its_drain_and_five_seconds(settings: Settings) -> None:
    settings = overridden(
        settings, {("embeddings", "drain_delay_s"): 10, ("embeddings", "drain_grace_s"): 120}
    )

    [[embeddings], *_] = stages(settings, {}, ENVOY)

    assert embeddings.stop_grace_s == 135


def test_envoy_reads_its_bootstrap_from_its_standard_input(settings: Settings) -> None:
    [_, [gateway], _] = stages(settings, {}, ENVOY)

    assert gateway.command[:3] == ("/opt/envoy", "--config-path", "/dev/fd/0")
    assert "static_resources" in json.loads(gateway.stdin)


def test_envoys_own_lines_have_the_form_of_the_others(settings: Settings) -> None:
    def log_format(log: LogSettings) -> str:
        changed = settings.model_copy(update={"log": log})
        [_, [gateway], _] = stages(changed, {}, ENVOY)
        return gateway.command[-1]

    assert json.loads(log_format(LogSettings(format="json")))["event"] == "%j"
    assert log_format(LogSettings(format="console")).endswith("%v")
