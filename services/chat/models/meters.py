"""The metrics of one model's engine; only its thread calls them."""

import time

from prometheus_client import Counter, Gauge, Histogram

from services.chat.engine.loop import Engine
from services.chat.engine.outputs import Delta, Finish, Output
from services.chat.engine.sequence import Job
from services.runtime import telemetry

GENERATION_TOKENS = Counter(
    "switchboard_generation_tokens_total", "Tokens written for callers.", ["model"]
)
CACHED_TOKENS = Counter(
    "switchboard_prefix_cache_hit_tokens_total",
    "Tokens of prompts that were not computed again.",
    ["model"],
)
FIRST_TOKEN_SECONDS = Histogram(
    "switchboard_time_to_first_token_seconds",
    "From a request's arrival at the engine to its first token.",
    ["model"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60),
)
TOKEN_SECONDS = Histogram(
    "switchboard_time_per_output_token_seconds",
    "Mean time between the tokens of an answer, after its first.",
    ["model"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2),
)
ANSWERS = Counter("switchboard_answers_total", "Answers that ended, by why.", ["model", "reason"])
SLOTS = Gauge("switchboard_slots", "Answers that are computed at once, at most.", ["model"])
SLOTS_BUSY = Gauge("switchboard_slots_busy", "Answers that have a slot now.", ["model"])


class Meters:
    """Counts what an engine does."""

    def __init__(self, model: str, slots: int) -> None:
        """Look the metrics of a model up once."""
        self._model = model
        self._prompt_tokens = telemetry.PROMPT_TOKENS.labels(model)
        self._cached_tokens = CACHED_TOKENS.labels(model)
        self._generation_tokens = GENERATION_TOKENS.labels(model)
        self._first_token_seconds = FIRST_TOKEN_SECONDS.labels(model)
        self._token_seconds = TOKEN_SECONDS.labels(model)
        self._waiting = telemetry.WAITING.labels(model)
        self._busy = SLOTS_BUSY.labels(model)
        self._slots = SLOTS.labels(model)
        self._began_s: dict[Job, float] = {}
        self._first_s: dict[tuple[Job, int], float] = {}
        self._slots.set(slots)

    def begin(self, job: Job) -> None:
        """Note that the engine has taken a request."""
        self._prompt_tokens.inc(len(job.request.prompt))
        self._began_s[job] = time.perf_counter()

    def note(self, output: Output) -> None:
        """Note something that the engine told."""
        now_s = time.perf_counter()
        match output:
            case Delta(job, choice) if (job, choice) not in self._first_s:
                self._first_s[job, choice] = now_s
                self._first_token_seconds.observe(now_s - self._began_s[job])
            case Finish(job, choice):
                self._end(output, now_s - self._first_s.pop((job, choice), now_s))

    def forget(self, job: Job) -> None:
        """Note that nothing more comes of a request."""
        self._began_s.pop(job, None)

    def show(self, engine: Engine) -> None:
        """Show how full the engine is."""
        self._waiting.set(engine.waiting)
        self._busy.set(engine.running)

    def close(self) -> None:
        """Show that there is no engine any more."""
        for gauge in (self._waiting, self._busy, self._slots):
            gauge.set(0)

    def _end(self, finish: Finish, seconds: float) -> None:
        usage = finish.usage
        ANSWERS.labels(self._model, finish.reason.value).inc()
        self._generation_tokens.inc(usage.answer_tokens)
        if finish.choice == 0:
            self._cached_tokens.inc(usage.cached_tokens)
        if usage.answer_tokens > 1:
            self._token_seconds.observe(seconds / (usage.answer_tokens - 1))
