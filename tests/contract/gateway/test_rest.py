"""What happens to a REST call on its way to a service and back."""

import gzip
import http.client
import time
from contextlib import closing

import pytest

from tests.contract.gateway.mesh import Gateway

JSON = {"content-type": "application/json"}


def test_a_body_reaches_the_service_as_it_was_sent(gateway: Gateway) -> None:
    multipart = {"content-type": 'multipart/form-data; boundary="x"'}

    answer = gateway.send("POST", "/v1/embeddings?unknown=1", b"--x\r\n\x00\xff", multipart)

    assert answer.json == {"bytes": 7, "content_type": 'multipart/form-data; boundary="x"'}
    assert answer.headers["openai-processing-ms"] == "5"


@pytest.mark.parametrize("sent", ["org%2Fname", "org/name"])
def test_a_model_id_may_hold_a_slash(gateway: Gateway, sent: str) -> None:
    answer = gateway.send("GET", f"/v1/models/{sent}")

    assert answer.json["id"] == "org/name"


def test_typed_answers_keep_their_field_names_and_print_empty_fields(gateway: Gateway) -> None:
    answer = gateway.send("GET", "/v1/models/m")

    assert answer.json["owned_by"] == ""
    assert answer.json["created"] == 0
    assert answer.json["aliases"] == []


def test_a_doubled_slash_does_no_harm(gateway: Gateway) -> None:
    assert gateway.send("GET", "/v1//models").status == 200


def test_every_part_of_a_stream_leaves_at_once(gateway: Gateway) -> None:
    order = {"do": "repeat", "type": "text/event-stream", "data": "data: x\n\n"}
    arrivals_s = []

    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)) as connection:
        body = str({**order, "times": 3, "pause_s": 0.2}).replace("'", '"').replace("\n", "\\n")
        connection.request("POST", "/v1/embeddings", body, {**JSON, "accept-encoding": "gzip"})
        answer = connection.getresponse()
        while answer.read1():
            arrivals_s.append(time.monotonic())

    assert answer.headers["content-type"] == "text/event-stream"
    assert "content-encoding" not in answer.headers
    assert len(arrivals_s) == 3
    assert arrivals_s[2] - arrivals_s[0] == pytest.approx(0.4, abs=0.15)


def test_json_is_packed_for_who_takes_it(gateway: Gateway) -> None:
    order = {"do": "repeat", "type": "application/json", "data": "1234" * 1000, "times": 2}

    packed = gateway.send("POST", "/v1/embeddings", order, {**JSON, "accept-encoding": "gzip"})
    plain = gateway.send("POST", "/v1/embeddings", order, JSON)

    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body == b"1234" * 2000
    assert "content-encoding" not in plain.headers


def test_the_callers_request_id_is_kept_and_reaches_the_service(gateway: Gateway) -> None:
    for sent in ("mine-1", "c0ffee00-1234-4abc-8def-0123456789ab"):
        answer = gateway.send(
            "POST", "/v1/embeddings", {"do": "metadata"}, {**JSON, "x-request-id": sent}
        )

        assert answer.headers["x-request-id"] == sent
        assert answer.json["x-request-id"] == sent


def test_a_call_without_a_request_id_gets_one(gateway: Gateway) -> None:
    answer = gateway.post(do="metadata")

    assert len(answer.headers["x-request-id"]) == 36
    assert answer.json["x-request-id"] == answer.headers["x-request-id"]
    assert gateway.send("GET", "/v1/nowhere").headers["x-request-id"]


def test_headers_that_only_the_mesh_may_set_are_dropped(gateway: Gateway) -> None:
    forged = {
        "x-switchboard-key": "admin",
        "X-Switchboard-Models": "*",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-original-path": "/forged",
        "x-switchboard-strict": "true",
    }

    seen = gateway.send("POST", "/v1/embeddings", {"do": "metadata"}, {**JSON, **forged}).json

    assert "x-switchboard-key" not in seen
    assert "x-switchboard-models" not in seen
    assert "x-envoy-upstream-rq-timeout-ms" not in seen
    assert seen["x-envoy-original-path"] == "/v1/embeddings"
    assert seen["x-switchboard-strict"] == "true"


def test_a_preflight_is_answered_before_anything_is_asked(gateway: Gateway) -> None:
    wanted = "authorization,content-type,x-stainless-os,openai-organization"
    answer = gateway.send(
        "OPTIONS",
        "/v1/embeddings",
        headers={
            "origin": "https://app.example.com",
            "access-control-request-method": "POST",
            "access-control-request-headers": wanted,
        },
    )

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert set(wanted.split(",")) <= set(allowed)
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/none", "/v1/nowhere"])
def test_a_page_may_read_answers_errors_and_their_headers(gateway: Gateway, path: str) -> None:
    answer = gateway.send("GET", path, headers={"origin": "https://app.example.com"})

    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    exposed = answer.headers["access-control-expose-headers"]
    for name in ("x-request-id", "openai-processing-ms", "retry-after", "x-ratelimit-limit-tokens"):
        assert name in exposed


def test_probes_are_answered_and_not_logged(gateway: Gateway) -> None:
    assert gateway.send("GET", "/healthz").status == 200
    assert gateway.send("GET", "/readyz").status == 200

    gateway.logged(gateway.post().headers["x-request-id"])
    assert "healthz" not in gateway.log.read_text()


def test_the_access_log_tells_who_what_and_how_it_ended(gateway: Gateway) -> None:
    answer = gateway.send(
        "POST",
        "/v1/embeddings?secret=1",
        {"text": "hush"},
        {**JSON, "authorization": "Bearer sk-1", "user-agent": "test"},
    )

    line = gateway.logged(answer.headers["x-request-id"])

    assert line["method"] == "POST"
    assert line["path"] == "/v1/embeddings"
    assert line["status"] == 200
    assert line["grpc_status"] == 0
    assert line["upstream_cluster"] == "embeddings"
    assert line["user_agent"] == "test"
    assert line["usage"] == '{"input_tokens": 3}'
    assert not {"hush", "sk-1", "secret"} & set(str(line).replace('"', " ").split())


def test_the_access_log_tells_the_status_of_the_service(gateway: Gateway) -> None:
    answer = gateway.post(do="abort", status="NOT_FOUND")

    line = gateway.logged(answer.headers["x-request-id"])

    assert (line["status"], line["grpc_status"]) == (404, 5)
