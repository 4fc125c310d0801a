"""The embedding models of this process: what both doors ask."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import structlog

from services.embeddings.config import EmbeddingsModelSettings, EmbeddingsSettings
from services.embeddings.engine.encoder import Encoder
from services.embeddings.engine.folder import read_spec
from services.embeddings.engine.pooling import Floats
from services.embeddings.engine.request import Request
from services.embeddings.engine.tokens import TokenIds, Tokens, read_tokenizer
from services.embeddings.engine.vectors import check_dimensions, shorten
from services.runtime.artifacts import ArtifactError, written_at
from services.runtime.batching import Batcher
from services.runtime.errors import InternalError
from services.runtime.fair_queue import Limits
from services.runtime.onnx import Provider, SessionOptions, cores, open_session
from services.runtime.registry import Description, Registry
from services.runtime.weights import weights_bytes

INLINE_LENGTH = 4000
"""Inputs of fewer characters, or ids, are read on the event loop (under a millisecond), others in
a thread."""

PART_LENGTH = 65536
"""Characters, or ids, that the thread reads before it turns to the next caller (about 50 ms)."""

_CPU_BATCH_TOKENS = 256
_CUDA_BATCH_TOKENS = 16384

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Embedded:
    """The answer to a request, before a door writes it."""

    model: str
    """The id of the model that answered."""
    vectors: Floats
    """Shape (inputs, dimensions)."""
    prompt_tokens: int
    """Tokens read, special tokens included, padding not."""


class EmbeddingModel:
    """A loaded model with its queue."""

    def __init__(
        self,
        tokens: Tokens,
        batcher: Batcher[TokenIds, Floats],
        name: str,
        description: Description,
    ) -> None:
        self.description = description
        self._name = name
        self._tokens = tokens
        self._batcher = batcher
        self._tokenizing = ThreadPoolExecutor(1, thread_name_prefix=f"tokens-{name}")

    def is_alive(self) -> bool:
        """Tell whether the engine makes progress."""
        return self._batcher.is_alive()

    def close(self) -> None:
        """Let the threads end; the last of them lets go of the graph."""
        self._batcher.close()
        self._tokenizing.shutdown()

    async def embed(self, request: Request, *, key: str) -> Embedded:
        """Return the vectors of a request.

        Args:
            request: What to embed.
            key: Whom it is for, for fairness.

        Raises:
            InvalidRequestError: The model cannot do what is asked; `param` names the field.
            OverloadedError: The queue is full.
            InternalError: The model gave no finite numbers.
        """
        check_dimensions(request.dimensions, self.description.dimensions, self._name)
        ids = await self._ids_of(request)
        lengths = list(map(len, ids))
        rows = await self._batcher.submit(ids, lengths, key=key)
        vectors = shorten(np.stack(rows), request.dimensions)
        if not np.isfinite(vectors).all():
            log.error("the model gave numbers that are not finite", model=self._name)
            raise InternalError
        return Embedded(self._name, vectors, sum(lengths))

    async def _ids_of(self, request: Request) -> Sequence[TokenIds]:
        """Tokenise part after part, so that a large request lets small ones pass."""
        if request.length <= INLINE_LENGTH:
            return self._tokens.ids_of(request)
        self._batcher.check_room()
        loop = asyncio.get_running_loop()
        ids: list[TokenIds] = []
        for part in request.parts(PART_LENGTH):
            ids += await loop.run_in_executor(self._tokenizing, self._tokens.ids_of, request, part)
        return ids


Models = Registry[EmbeddingsModelSettings, EmbeddingModel]
"""The models of the service by name."""


async def embed(models: Models, request: Request, *, key: str) -> Embedded:
    """Return the vectors of a request, from the model that it names.

    Args:
        models: The models of the service.
        request: What to embed.
        key: Whom it is for, for fairness.

    Raises:
        ServiceError: Nobody serves the name now, or as `EmbeddingModel.embed`.
    """
    with models.lease(request.model) as model:
        return await model.embed(request, key=key)


def estimate_bytes(settings: EmbeddingsModelSettings) -> int:
    """Return what a model is going to hold: the weights of its graph.

    Raises:
        ArtifactError: There is no such graph.
    """
    return weights_bytes(settings.folder / settings.file)


def load_model(settings: EmbeddingsModelSettings, service: EmbeddingsSettings) -> EmbeddingModel:
    """Load a model folder.

    Raises:
        ArtifactError: The folder cannot be served; the message names the file and what is wrong.
    """
    spec = read_spec(settings)
    tokenizer = read_tokenizer(settings.folder / "tokenizer.json")
    path = settings.folder / settings.file
    options = SessionOptions(settings.provider, service.threads, service.gpu_memory_bytes)
    session = open_session(path, options)
    try:
        encoder = Encoder(session, spec)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None
    except Exception as error:
        raise ArtifactError(f"{path}: a run with one token fails: {error}") from error
    description = Description(
        provider=session.provider,
        created=written_at(settings.folder),
        context_length=spec.max_tokens,
        dimensions=encoder.width,
        memory_bytes=estimate_bytes(settings),
    )
    tokens = Tokens(
        tokenizer,
        max_tokens=spec.max_tokens,
        prompts=spec.prompts,
        lowercase=spec.lowercase,
        vocabulary=spec.vocabulary,
    )
    batcher = _batcher(encoder, session.provider, settings, service)
    return EmbeddingModel(tokens, batcher, settings.id, description)


def _batcher(
    encoder: Encoder,
    provider: Provider,
    settings: EmbeddingsModelSettings,
    service: EmbeddingsSettings,
) -> Batcher[TokenIds, Floats]:
    on_cpu = provider == "cpu"
    limits = Limits(
        batch_tokens=service.batch_tokens or (_CPU_BATCH_TOKENS if on_cpu else _CUDA_BATCH_TOKENS),
        max_padding=service.max_padding,
        waiting_requests=service.waiting_requests,
        waiting_tokens=service.waiting_tokens,
    )
    return Batcher(
        lambda batch: list(encoder.encode(batch)),
        limits,
        model=settings.id,
        workers=service.workers or (cores() if on_cpu else 1),
    )
