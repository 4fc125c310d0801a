import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.bootstrap import render
from services.runtime.config import ConfigError, Settings


def rendered(**sections: Any) -> Any:
    return json.loads(render(Settings(**{"embeddings": {}, **sections})))


def manager(bootstrap: Any) -> Any:
    chain = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]
    return chain["filters"][0]["typed_config"]


def routes(bootstrap: Any) -> Any:
    return manager(bootstrap)["route_config"]["virtual_hosts"][0]["routes"]


def http_filter(bootstrap: Any, name: str) -> Any:
    filters = manager(bootstrap)["http_filters"]
    return next(f["typed_config"] for f in filters if f["name"] == f"envoy.filters.http.{name}")


def test_the_same_settings_give_the_same_text() -> None:
    assert render(Settings(embeddings={})) == render(Settings(embeddings={}))


def test_every_service_is_found_where_the_settings_say() -> None:
    bootstrap = rendered(
        frontdesk={"host": "frontdesk.mesh.svc"},
        embeddings={"host": "embeddings.mesh.svc", "port": 50054},
    )

    clusters = bootstrap["static_resources"]["clusters"]
    found = {
        cluster["name"]: cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        for cluster in clusters
    }
    assert {name: place["address"]["socket_address"] for name, place in found.items()} == {
        "frontdesk": {"address": "frontdesk.mesh.svc", "port_value": 50050},
        "embeddings": {"address": "embeddings.mesh.svc", "port_value": 50054},
    }


def test_the_admin_interface_stays_on_loopback() -> None:
    bootstrap = rendered(gateway={"host": "0.0.0.0"})  # noqa: S104

    admin = bootstrap["admin"]["address"]["socket_address"]
    assert admin == {"address": "127.0.0.1", "port_value": 9901}


def test_a_name_to_listen_on_is_refused_by_its_setting() -> None:
    with pytest.raises(ConfigError, match=r"gateway\.host: 'gateway\.example' is a name"):
        render(Settings(gateway={"host": "gateway.example"}))


def test_localhost_is_an_address_to_listen_on() -> None:
    listener = rendered(gateway={"host": "localhost"})["static_resources"]["listeners"][0]

    assert listener["address"]["socket_address"]["address"] == "127.0.0.1"


def test_no_route_leads_to_what_processes_tell_the_mesh() -> None:
    *grpc_and_rest, rest = (route["match"] for route in routes(rendered()))

    prefixes = [match["prefix"] for match in grpc_and_rest if "prefix" in match]
    assert "/switchboard.embeddings.v1." in prefixes
    assert not any("/switchboard.runtime.v1.".startswith(prefix) for prefix in prefixes)
    assert rest["prefix"] == "/"
    assert rest["headers"][0]["string_match"] == {"prefix": "application/grpc"}
    assert rest["headers"][0]["invert_match"]


def test_every_rest_path_has_a_route_of_its_own() -> None:
    found = {
        match.get("path") or match.get("safe_regex", {}).get("regex"): route["route"]["cluster"]
        for route in routes(rendered())
        if "prefix" not in (match := route["match"])
    }

    assert found == {
        "/v1/models": "frontdesk",
        "/v1/models/.+": "frontdesk",
        "/v1/endpoints": "frontdesk",
        "/v1/embeddings": "embeddings",
    }


def test_who_may_turn_a_call_away_stands_before_who_works() -> None:
    names = [f["name"].split(".")[3] for f in manager(rendered())["http_filters"]]

    assert names == [
        *("cors", "health_check", "health_check", "compressor"),
        *("lua", "grpc_json_transcoder", "grpc_stats", "router"),
    ]


def test_the_transcoder_knows_the_protos_without_their_comments() -> None:
    transcoder = http_filter(rendered(), "grpc_json_transcoder")

    files = FileDescriptorSet.FromString(base64.b64decode(transcoder["proto_descriptor_bin"]))

    assert "google/api/httpbody.proto" in {file.name for file in files.file}
    assert not any(file.HasField("source_code_info") for file in files.file)
    assert transcoder["services"] == [
        "switchboard.frontdesk.v1.DirectoryService",
        "switchboard.embeddings.v1.EmbeddingsRest",
    ]


def test_the_script_begins_with_the_endpoints() -> None:
    script = http_filter(rendered(), "lua")["default_source_code"]["inline_string"]

    assert script.startswith(
        "local ENDPOINTS = {\n"
        '  { method = "GET", path = "/v1/models", template = "/v1/models", '
        'pattern = "^/v1/models$" },\n'
    )
    assert 'pattern = "^/v1/models/.+$" },\n' in script


@pytest.mark.parametrize(
    ("origins", "matchers"),
    [
        (["*"], [{"safe_regex": {"regex": ".*"}}]),
        (["https://a.example"], [{"exact": "https://a.example"}]),
        ([], None),
    ],
)
def test_pages_of_the_named_origins_may_call(origins: list[str], matchers: Any) -> None:
    bootstrap = rendered(gateway={"cors": {"allow_origins": origins}})

    host = manager(bootstrap)["route_config"]["virtual_hosts"][0]
    policy = host["typed_per_filter_config"]["envoy.filters.http.cors"]
    assert policy.get("allow_origin_string_match") == matchers


def test_a_service_is_asked_for_its_health_even_when_nobody_calls_it() -> None:
    cluster = rendered(gateway={"health_interval_s": 3})["static_resources"]["clusters"][1]

    (check,) = cluster["health_checks"]

    assert check["grpc_health_check"] == {
        "service_name": "switchboard.embeddings.v1.EmbeddingsRest"
    }
    assert check["interval"] == check["no_traffic_healthy_interval"] == "3s"
    assert check["unhealthy_interval"] == check["no_traffic_interval"] == "0.250s"


def run_module(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.bootstrap", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_module_writes_the_bootstrap_of_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "switchboard.toml").write_text("[gateway]\nport = 1234\n")

    printed = run_module(tmp_path)
    written = run_module(tmp_path, "--output", "envoy.json")

    assert '"port_value": 1234' in printed.stdout
    assert written.stdout == ""
    assert json.loads((tmp_path / "envoy.json").read_text()) == json.loads(printed.stdout)


def test_the_module_names_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "switchboard.toml").write_text('[gateway]\nhost = "example.com"\n')

    ended = run_module(tmp_path)

    assert ended.returncode == 2
    assert ended.stderr.startswith("gateway.host: 'example.com' is a name")
