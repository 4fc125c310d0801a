"""Chat: the engine, and the mesh through Envoy, against llama.cpp and onnxruntime-genai.

All run the same random network of Qwen2-0.5B's shape, each in a process of its own, in turns on the
same cores, so that a slow minute of the machine hits all of them; tables show medians and ratios.
`make bench-chat` runs it and writes benchmarks/results/chat.md; `--quick` takes a few minutes.

llama.cpp is measured where `llama_cpp` can be imported, or where LLAMA_PYTHON names a Python that
can; its batch interface is called without a server. A server of its own is measured beside the
mesh with `--url llama.cpp=http://127.0.0.1:8000`. On processors with AMX it crashes where GCC 12
built it, which drops the stores of a tile's configuration:
`CMAKE_ARGS="-DCMAKE_CXX_FLAGS='-fno-dse -fno-tree-dse'" pip install llama-cpp-python` keeps them.
"""

import argparse
import datetime as dt
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.chat_measures import (
    PROMPT_TOKENS,
    Extent,
    measure_all,
    measure_answers,
    measure_engine,
)
from benchmarks.chat_model import exports
from benchmarks.chat_peers.line_up import (
    ENGINE,
    GENAI_ENGINE,
    llama_version,
    open_engine,
    open_genai_engine,
    open_workers,
)
from benchmarks.chat_peers.ours_measures import SHORT_CONTEXT_TOKENS
from services.runtime.onnx import cores

MODELS = Path(__file__).parents[1] / "build" / "bench"
RESULT = Path(__file__).parent / "results" / "chat.md"

QUICK = Extent(rounds=1, tokens=32, crowds=(1, 8), requests=100)
WHOLE = Extent(rounds=3, tokens=128, crowds=(1, 2, 4, 8, 16), requests=2000)
PARTS = ("peers", "engine", "answers")


def run(extent: Extent, parts: set[str], urls: dict[str, str]) -> str:
    """Measure and return the report."""
    exports.prepare(MODELS)
    workers = open_workers(MODELS, cores())
    sections = list[str]()
    try:
        if "peers" in parts:
            sections += measure_all(workers, extent)
        if "engine" in parts:
            workers["small"] = open_engine(MODELS / exports.INT4, cores(), SHORT_CONTEXT_TOKENS)
            sections.append(measure_engine(workers[ENGINE], workers["small"], extent))
        if "answers" in parts:
            workers[GENAI_ENGINE] = open_genai_engine(MODELS, cores())
            engines = {name: workers[name] for name in (ENGINE, GENAI_ENGINE)}
            sections.append(measure_answers(engines, MODELS / exports.INT4, extent, urls))
    finally:
        for worker in workers.values():
            worker.close()
    return report(sections, extent)


def report(sections: list[str], extent: Extent) -> str:
    """Return the whole text."""
    return f"""# Chat benchmark

{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {cores()} cores ({cpu_name()}), \
Python {platform.python_version()}, onnxruntime {version("onnxruntime-gpu")}, \
onnxruntime-genai {version("onnxruntime-genai")}, llama-cpp-python {llama_version()}.
A random network of Qwen2-0.5B's shape; int4 and int8 in blocks of 128, every matrix quantised. \
Answers of {extent.tokens} tokens to prompts of {PROMPT_TOKENS}, so many at a time as the column \
says, greedy, or sampled with temperature 0.8 and top_p 0.95; medians of {extent.rounds} rounds \
that alternate; of whole answers, of twice as many.

{(chr(10) * 2).join(sections)}
"""


def cpu_name() -> str:
    """Return the processor's name, as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.partition(": ")[2] for x in lines if x.startswith("model name")), "unknown")


def main() -> None:
    """Measure, print and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of shorter answers")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--url", nargs="*", default=[], metavar="NAME=URL", help="other servers")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    urls = dict(entry.split("=", 1) for entry in options.url)
    text = run(QUICK if options.quick else WHOLE, {*options.parts}, urls)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
