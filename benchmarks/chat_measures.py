"""What is measured, of all candidates in turns, of our engine alone, and through Envoy."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chat_figures import NOTHING, Figures, percentile, table
from benchmarks.chat_peers.gateway import Crowd, Gateway
from benchmarks.chat_peers.line_up import BARE, CONTEXT_TOKENS, ENGINE, PAIRS
from benchmarks.chat_peers.worker import Worker
from tests.mesh import running_mesh

PROMPT_TOKENS = 64
LONG_TOKENS = 512
LONGEST_TOKENS = 2000


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int
    tokens: int
    """Of an answer, behind its first one."""
    crowds: tuple[int, ...]
    """How many answers at a time."""
    requests: int
    """For the memory."""


def measure_all(workers: dict[str, Worker], extent: Extent) -> list[str]:
    """Return tables of tokens a second, of ratios, and of milliseconds."""
    speed, times = Figures(), Figures()
    crowds = [(crowd, False) for crowd in extent.crowds] + [(1, True), (8, True)]
    for number in range(extent.rounds):
        print(f"round {number + 1}", flush=True)
        for name, worker in workers.items():
            long_ms = worker.call("first_token_ms", prompt_tokens=LONG_TOKENS)
            speed.note(f"prefill {LONG_TOKENS}", name, 1000 * LONG_TOKENS / long_ms)
            short_ms = worker.call("first_token_ms", prompt_tokens=PROMPT_TOKENS)
            times.note(f"first token after {PROMPT_TOKENS}", name, short_ms)
        for crowd, sampled in crowds:
            column = f"{crowd} sampled" if sampled else f"{crowd}"
            for name, worker in workers.items():
                if sampled and name == BARE:
                    continue
                told = worker.call("decode", sequences=crowd, tokens=extent.tokens, sampled=sampled)
                speed.note(column, name, told["tokens_s"])
                if crowd in {1, 8}:
                    times.note(f"{column}: p50", name, percentile(told["step_ms"], 0.5))
                    times.note(f"{column}: p99", name, percentile(told["step_ms"], 0.99))
    return [speed.table("tokens/s"), _ratios(speed), times.table("milliseconds")]


def _ratios(speed: Figures) -> str:
    """Return how many times faster we are, and what sampling costs."""
    rows = {
        f"{ours} : {theirs}": [speed.ratio(column, ours, theirs) for column in speed.columns]
        for ours, theirs in PAIRS
        if theirs in speed.candidates
    }
    rows[f"{ENGINE}, sampled : greedy"] = [
        speed.ratio(column, ENGINE, ENGINE, column.removesuffix(" sampled"))
        if column.endswith("sampled")
        else NOTHING
        for column in speed.columns
    ]
    return table("ratio", speed.columns, rows)


def measure_engine(engine: Worker, small_engine: Worker, extent: Extent) -> str:
    """Return what only our engine is asked, as a list; the memory of one with short slots."""
    fresh_ms, shared_ms, stalls = [], [], []
    prefix = {"prompt_tokens": LONG_TOKENS, "shared_tokens": LONG_TOKENS - 32}
    for _ in range(extent.rounds):
        fresh_ms.append(engine.call("first_token_ms", prompt_tokens=LONG_TOKENS))
        shared_ms.append(engine.call("shared_prefix_ms", **prefix))
        stalls.append(engine.call("long_prompt_ms", prompt_tokens=LONGEST_TOKENS))
    stall = min(stalls, key=lambda told: told["gap"])
    sizes_mb = small_engine.call("resident_mb", requests=extent.requests)
    return (
        f"* The first token of {LONG_TOKENS} comes after {statistics.median(fresh_ms):.0f} ms;"
        f" after {statistics.median(shared_ms):.0f} ms where all but 32 were there before.\n"
        f"* A prompt of {LONGEST_TOKENS} tokens comes while an answer grows. The answer is silent"
        f" for {stall['gap']:.0f} ms at most: the longest chunk took {stall['chunk']:.0f} ms, the"
        f" longest token {stall['token']:.0f} ms.\n"
        f"* {extent.requests} requests: {sizes_mb[0]:.0f} MB resident after a tenth of them,"
        f" {sizes_mb[4]:.0f} MB after half, {sizes_mb[-1]:.0f} MB at the end."
    )


def measure_answers(
    engines: dict[str, Worker], model: Path, extent: Extent, urls: dict[str, str]
) -> str:
    """Return a table of whole answers: of engines without a door, the mesh, and other servers."""
    figures, crowds = Figures(), dict[tuple[str, str], list[Crowd]]()
    chat = (
        f'[[chat.models]]\nid = "m"\nfolder = "{model}"\nslots = 16\n'
        f'context_tokens = {CONTEXT_TOKENS}\nprovider = "cpu"\n'
    )
    asked = {"prompt_tokens": PROMPT_TOKENS, "tokens": extent.tokens}
    with tempfile.TemporaryDirectory() as folder, running_mesh(Path(folder), "", chat=chat) as mesh:
        servers = {"through Envoy": mesh.url} | urls
        for _ in range(2 * extent.rounds):
            for count in (1, 8):
                for name, engine in engines.items():
                    told = engine.call("answers_tokens_s", sequences=count, **asked)
                    figures.note(f"{count}", name, told)
                for name, url in servers.items():
                    crowd = Gateway(url).ask(count, **asked)
                    figures.note(f"{count}", name, crowd.tokens_s)
                    crowds.setdefault((f"{count}", name), []).append(crowd)
    rows = {
        f"{name}, {count} at once": [
            f"{figures.median(count, name):.1f}",
            figures.ratio(count, name, ENGINE),
            *_times(crowds.get((count, name), [])),
        ]
        for count in figures.columns
        for name in figures.candidates
    }
    columns = ["tokens/s", "to the engine", "first, ms", "p50 gap, ms", "p99 gap, ms"]
    return table("whole answers", columns, rows)


def _times(crowds: list[Crowd]) -> list[str]:
    """Return first token and gaps of all streams."""
    streams = [stream for crowd in crowds for stream in crowd.streams]
    if not streams:
        return [NOTHING] * 3
    gaps_ms = [gap for stream in streams for gap in stream.gaps_ms]
    first_ms = statistics.median(stream.first_ms for stream in streams)
    return [f"{value:.1f}" for value in (first_ms, *(percentile(gaps_ms, p) for p in (0.5, 0.99)))]
