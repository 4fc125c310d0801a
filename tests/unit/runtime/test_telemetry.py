"""One line an event, and nothing in it that a caller sent."""

import json
import logging
import urllib.request

import pytest
import structlog

from services.runtime import telemetry
from services.runtime.config import LogSettings


@pytest.fixture(autouse=True)
def _root_logger_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def fail_with(prompt):
    secret = f"local {prompt}"
    raise ValueError(len(secret))


def log_everything():
    log = structlog.get_logger()
    log.debug("too detailed")
    log.info("listening", port=1, text="line\nbreak")
    try:
        fail_with("the prompt of a caller")
    except ValueError:
        log.exception("call failed")
        logging.getLogger("library").exception("library failed")
    logging.getLogger("library").info("chatty")


def test_every_event_is_one_json_line_with_level_time_and_service(capsys):
    telemetry.configure_logs(LogSettings(), "embeddings")

    log_everything()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["listening", "call failed", "library failed"]
    assert [line["level"] for line in lines] == ["info", "error", "error"]
    assert all(line["service"] == "embeddings" and line["timestamp"] for line in lines)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_trace_names_the_error_and_shows_no_local_variable(capsys, form):
    telemetry.configure_logs(LogSettings(format=form), "embeddings")

    log_everything()

    out = capsys.readouterr().out
    assert "ValueError" in out
    assert "fail_with" in out
    assert "the prompt of a caller" not in out.replace('fail_with("the prompt of a caller")', "")


def test_the_level_is_kept(capsys):
    telemetry.configure_logs(LogSettings(level="error"), "embeddings")

    structlog.get_logger().warning("unheard")
    structlog.get_logger().error("heard")

    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == ["heard"]


def test_metrics_are_served_on_a_port_of_their_own(free_port):
    telemetry.REQUESTS.labels("/a.B/C", "OK").inc()

    telemetry.serve_metrics("127.0.0.1", free_port)

    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert 'switchboard_requests_total{code="OK",method="/a.B/C"} 1.0' in text


def test_a_taken_port_is_an_os_error(free_port):
    telemetry.serve_metrics("127.0.0.1", free_port)

    with pytest.raises(OSError, match="use"):
        telemetry.serve_metrics("127.0.0.1", free_port)


def test_port_zero_serves_no_metrics():
    telemetry.serve_metrics("256.0.0.1", 0)
