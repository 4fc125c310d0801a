"""The REST door: OpenAI's JSON to and from the engine.

Source: https://platform.openai.com/docs/api-reference/embeddings/create
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
from google.api.httpbody_pb2 import HttpBody
from switchboard.embeddings.v1 import embeddings_pb2_grpc

from services.embeddings.engine.pooling import Floats
from services.embeddings.engine.request import Request
from services.embeddings.models import Embedded, Models, embed
from services.runtime import calls, rest
from services.runtime.errors import InvalidRequestError, shown

INLINE_ROWS = 64
"""Longer answers are written in a thread."""

IGNORED = frozenset({"user"})
"""Fields of the hosted service that are accepted and do nothing."""


class EmbeddingsBody(msgspec.Struct):
    """The body of `POST /v1/embeddings`."""

    model: str
    input: msgspec.Raw
    """A text, texts, token ids, or lists of token ids."""
    encoding_format: str | None = None
    """`float` (default) or `base64`."""
    dimensions: int | None = None
    prompt_name: str | None = None
    """An extra: a prompt of the model, put before each text."""


class EmbeddingsRest(embeddings_pb2_grpc.EmbeddingsRestServicer):
    """Serves `POST /v1/embeddings`."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def CreateEmbeddings(self, request: HttpBody, context: Any) -> AsyncIterator[HttpBody]:
        """Answer with OpenAI's list of embeddings, in parts."""
        call = calls.current()
        body = rest.decode(request.data, EmbeddingsBody, call, ignored=IGNORED)
        in_base64 = _wants_base64(body.encoding_format)
        asked = _request(body)
        embedded = await embed(self._models, asked, key=call.key)
        call.usage = {"model": embedded.model, "input_tokens": embedded.prompt_tokens}
        if in_base64 and len(embedded.vectors) > 1:
            # Vectors do not shrink in base64: gzip at the gateway would only cost time.
            call.headers["cache-control"] = "no-transform"
        answer = partial(_answer, embedded, in_base64=in_base64)
        # Thousands of rows take long enough to write that other callers would notice.
        is_long = len(embedded.vectors) > INLINE_ROWS
        for part in rest.json_parts(await asyncio.to_thread(answer) if is_long else answer()):
            yield part


def _request(body: EmbeddingsBody) -> Request:
    """Tell the four forms of `input` apart by their first characters, and decode the one it is."""
    raw = bytes(body.input)
    first = raw[:1]
    second = raw[1:].lstrip()[:1] if first == b"[" else b""
    is_text, is_ids = first == b'"', bool(second) and second in b"-0123456789"
    texts: list[str] = []
    token_ids: list[list[int]] = []
    if is_text:
        texts = [rest.decode_value(raw, str, "input")]
    elif second == b'"':
        texts = rest.decode_value(raw, list[str], "input")
    elif second == b"[":
        token_ids = rest.decode_value(raw, list[list[int]], "input")
    elif is_ids:
        token_ids = [rest.decode_value(raw, list[int], "input")]
    elif second != b"]":
        raise InvalidRequestError(
            "Invalid type for 'input': expected a string, an array of strings, an array of token"
            " ids, or an array of arrays of token ids.",
            param="input",
            code="invalid_type",
        )
    return Request(
        model=body.model,
        texts=texts,
        token_ids=token_ids,
        dimensions=body.dimensions,
        prompt_name=body.prompt_name,
        is_single=is_text or is_ids,
    )


def _wants_base64(encoding_format: str | None) -> bool:
    if encoding_format not in {None, "float", "base64"}:
        raise InvalidRequestError(
            f"Invalid value for 'encoding_format': {shown(encoding_format)}."
            " Supported values are 'float' and 'base64'.",
            param="encoding_format",
            code="invalid_value",
        )
    return encoding_format == "base64"


def _answer(embedded: Embedded, *, in_base64: bool) -> bytes:
    values = _base64_rows(embedded.vectors) if in_base64 else embedded.vectors.tolist()
    answer = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": value}
            for index, value in enumerate(values)
        ],
        "model": embedded.model,
        "usage": {
            "prompt_tokens": embedded.prompt_tokens,
            "total_tokens": embedded.prompt_tokens,
        },
    }
    return msgspec.json.encode(answer)


def _base64_rows(vectors: Floats) -> list[str]:
    """Return each row as base64 of little-endian float32: what SDKs ask for by default."""
    rows = vectors.astype("<f4", copy=False)
    return [base64.b64encode(row.tobytes()).decode("ascii") for row in rows]
