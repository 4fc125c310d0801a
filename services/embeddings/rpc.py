"""The typed door: protobuf to and from the engine."""

from typing import Any

from switchboard.embeddings.v1 import embeddings_pb2, embeddings_pb2_grpc

from services.embeddings.engine.request import Request
from services.embeddings.models import Embedded, Models, embed
from services.runtime import calls


class EmbeddingsService(embeddings_pb2_grpc.EmbeddingsServiceServicer):
    """Serves programs in the mesh."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def CreateEmbeddings(
        self, request: embeddings_pb2.CreateEmbeddingsRequest, context: Any
    ) -> embeddings_pb2.CreateEmbeddingsResponse:
        """Answer with one vector an input."""
        call = calls.current()
        asked = _request(request)
        embedded = await embed(self._models, asked, key=call.key)
        call.usage = {"model": embedded.model, "input_tokens": embedded.prompt_tokens}
        return _answer(embedded)


def _request(request: embeddings_pb2.CreateEmbeddingsRequest) -> Request:
    return Request(
        model=request.model,
        texts=list(request.texts.values),
        token_ids=[sequence.ids for sequence in request.token_ids.values],
        dimensions=request.dimensions if request.HasField("dimensions") else None,
        prompt_name=request.prompt_name if request.HasField("prompt_name") else None,
    )


def _answer(embedded: Embedded) -> embeddings_pb2.CreateEmbeddingsResponse:
    usage = embeddings_pb2.EmbeddingsUsage(
        prompt_tokens=embedded.prompt_tokens, total_tokens=embedded.prompt_tokens
    )
    return embeddings_pb2.CreateEmbeddingsResponse(
        model=embedded.model,
        embeddings=[
            embeddings_pb2.Embedding(index=index, values=values)
            for index, values in enumerate(embedded.vectors.tolist())
        ],
        usage=usage,
    )
