"""Streams through HTTP, as OpenAI's SDKs read them: Server-Sent Events from any base address."""

import asyncio
import itertools
import json
import time
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.chat_model.vocabulary import END, FRAME_TOKENS, WORDS
from benchmarks.chat_peers.candidate import LETTERS

FIRST_LETTER = "!"


@dataclass(frozen=True, slots=True)
class Stream:
    """What one answer was like."""

    tokens: int
    """By its usage; where the server tells none, its events."""
    first_ms: float
    """From the request to its first text."""
    gaps_ms: tuple[float, ...]
    """Between events with text."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What several answers were like that began at the same time."""

    tokens_s: float
    """Of all, from the first request to the last event."""
    streams: tuple[Stream, ...]


class Gateway:
    """A server with OpenAI's interface."""

    def __init__(self, url: str, model: str = "m") -> None:
        """Take its base address, such as http://127.0.0.1:8080."""
        self._address = urllib.parse.urlsplit(url)
        self._model = model

    def ask(self, streams: int, prompt_tokens: int, tokens: int, *, sampled: bool = False) -> Crowd:
        """Read so many answers at once, each of about `tokens` tokens.

        Their prompts have `prompt_tokens` in all, the template's included.
        """
        return asyncio.run(self._ask(streams, prompt_tokens, tokens, sampled=sampled))

    async def _ask(self, streams: int, prompt_tokens: int, tokens: int, *, sampled: bool) -> Crowd:
        bodies = [self._body(prompt_tokens, tokens, sampled=sampled) for _ in range(streams)]
        start = time.perf_counter()
        read = await asyncio.gather(*map(self._read, bodies))
        elapsed_s = time.perf_counter() - start
        return Crowd(sum(stream.tokens for stream in read) / elapsed_s, tuple(read))

    def _body(self, prompt_tokens: int, tokens: int, *, sampled: bool) -> bytes:
        letters = prompt_tokens - FRAME_TOKENS
        places = np.random.default_rng().integers(0, LETTERS, size=letters)
        text = "".join(chr(ord(FIRST_LETTER) + place) for place in places)
        asked = {
            "model": self._model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": tokens,
            "temperature": 0.8 if sampled else 0,
            "top_p": 0.95 if sampled else 1,
            # A random network may end at any place.
            "logit_bias": {str(END): -100, str(WORDS): -100},
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return json.dumps(asked).encode()

    async def _read(self, body: bytes) -> Stream:
        host, port = self._address.hostname, self._address.port or 80
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        start = time.perf_counter()
        writer.write(head.encode() + body)
        status = await reader.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"{status!r}: {await reader.read()!r}")
        times, usage = [start], 0
        async for event in _events(reader):
            usage = (event.get("usage") or {}).get("completion_tokens", usage)
            if any(choice["delta"].get("content") for choice in event["choices"]):
                times.append(time.perf_counter())
        writer.close()
        gaps_ms = [1000 * (after - before) for before, after in itertools.pairwise(times)]
        return Stream(usage or len(gaps_ms), gaps_ms[0], tuple(gaps_ms[1:]))


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """Yield what the events of a chunked answer hold."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b"transfer-encoding: chunked" in head, head
    text = b""
    while size := int(await reader.readline(), 16):
        text += (await reader.readexactly(size + 2))[:size]
        *events, text = text.split(b"\n\n")
        for event in events:
            if event.startswith(b"data: {"):
                yield json.loads(event[6:])
