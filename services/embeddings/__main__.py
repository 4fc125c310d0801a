"""`python -m services.embeddings`: settings -> models -> doors -> serve."""

import sys
from functools import partial

from switchboard.embeddings.v1 import embeddings_pb2, embeddings_pb2_grpc

from services.embeddings.config import EmbeddingsSettings
from services.embeddings.models import Models, estimate_bytes, load_model
from services.embeddings.rest import EmbeddingsRest
from services.embeddings.rpc import EmbeddingsService
from services.runtime import process
from services.runtime.config import Settings
from services.runtime.server import Door

_NAMES = embeddings_pb2.DESCRIPTOR.services_by_name


async def run(mesh: Settings, settings: EmbeddingsSettings) -> None:
    """Serve embeddings at both doors until SIGTERM."""
    models = Models("embeddings", settings.models, mesh)
    await process.serve_models(
        models, partial(load_model, service=settings), _doors(models), settings, estimate_bytes
    )


def _doors(models: Models) -> list[Door]:
    add_service = embeddings_pb2_grpc.add_EmbeddingsServiceServicer_to_server
    add_rest = embeddings_pb2_grpc.add_EmbeddingsRestServicer_to_server
    return [
        Door(
            _NAMES["EmbeddingsService"].full_name, partial(add_service, EmbeddingsService(models))
        ),
        Door(_NAMES["EmbeddingsRest"].full_name, partial(add_rest, EmbeddingsRest(models))),
    ]


if __name__ == "__main__":
    sys.exit(process.main("embeddings", EmbeddingsSettings, run))
