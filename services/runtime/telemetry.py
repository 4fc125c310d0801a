"""Logs and metrics of a process: JSON lines with structlog, Prometheus on a port of its own.

No prompt, no vector and no key is ever logged: lines carry ids, counts and times.
"""

import logging
import sys
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from services.runtime.config import LogSettings

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

REQUESTS = Counter(
    "switchboard_requests_total", "Calls that ended, by gRPC status.", ["method", "code"]
)
REQUEST_SECONDS = Histogram(
    "switchboard_e2e_request_latency_seconds",
    "From a call's arrival to its end.",
    ["method"],
    buckets=_SECONDS,
)
RUNNING = Gauge("switchboard_num_requests_running", "Calls in the process now.", ["method"])
CANCELLED = Counter(
    "switchboard_request_cancelled_total", "Calls whose caller went away.", ["method"]
)
QUEUE_SECONDS = Histogram(
    "switchboard_request_queue_time_seconds",
    "From a request's admission to its first batch.",
    ["model"],
    buckets=_SECONDS,
)
WAITING = Gauge("switchboard_num_requests_waiting", "Requests with work in the queue.", ["model"])
WAITING_TOKENS = Gauge("switchboard_queue_tokens", "Tokens waiting in the queue.", ["model"])
BATCH_ITEMS = Histogram(
    "switchboard_batch_size",
    "Inputs in a batch.",
    ["model"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
BATCH_TOKENS = Counter("switchboard_batch_tokens_total", "Tokens computed, padding not.", ["model"])
PADDING_TOKENS = Counter("switchboard_batch_padding_tokens_total", "Padding computed.", ["model"])
PROMPT_TOKENS = Counter("switchboard_prompt_tokens_total", "Tokens read for callers.", ["model"])
MODEL_LOADED = Gauge("switchboard_model_loaded", "1 while the model is ready.", ["model"])
MODEL_MEMORY_BYTES = Gauge(
    "switchboard_model_memory_bytes", "What the model holds, or its load is to take.", ["model"]
)
MODEL_LOAD_SECONDS = Gauge(
    "switchboard_model_load_duration_seconds", "How long the model took to load.", ["model"]
)


@dataclass(frozen=True, slots=True)
class BatchMeters:
    """The metrics of one model's queue, looked up once."""

    prompt_tokens: Counter
    queue_seconds: Histogram
    waiting: Gauge
    waiting_tokens: Gauge
    batch_items: Histogram
    batch_tokens: Counter
    padding_tokens: Counter

    @classmethod
    def of(cls, model: str) -> "BatchMeters":
        """Return the meters of a model."""
        return cls(
            prompt_tokens=PROMPT_TOKENS.labels(model),
            queue_seconds=QUEUE_SECONDS.labels(model),
            waiting=WAITING.labels(model),
            waiting_tokens=WAITING_TOKENS.labels(model),
            batch_items=BATCH_ITEMS.labels(model),
            batch_tokens=BATCH_TOKENS.labels(model),
            padding_tokens=PADDING_TOKENS.labels(model),
        )


# Local variables hold what callers sent; a trace in the log never shows them.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logs(settings: LogSettings, service: str) -> None:
    """Make every log line of this process, libraries included, one line on stdout.

    Args:
        settings: The level and the form.
        service: The name that every line carries.
    """
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_line: list[structlog.types.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *as_line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *as_line],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def serve_metrics(host: str, port: int) -> None:
    """Serve Prometheus' text format on `host:port` in a thread; port 0 serves nothing.

    Raises:
        OSError: The port is taken.
    """
    if not port:
        return
    try:
        start_http_server(port, host)
    except OSError as error:
        raise OSError(f"cannot serve metrics on {host}:{port}: {error}") from None
