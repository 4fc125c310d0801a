"""`python -m services.chat`: settings -> models -> doors -> serve."""

import sys
from functools import partial

from switchboard.chat.v1 import chat_pb2, chat_pb2_grpc

from services.chat.config import ChatSettings
from services.chat.engine.decoder import needed_bytes
from services.chat.models.loading import load_model
from services.chat.models.model import Models
from services.chat.rest import ChatRest
from services.chat.rpc import ChatService
from services.runtime import process
from services.runtime.config import Settings
from services.runtime.server import Door

_NAMES = chat_pb2.DESCRIPTOR.services_by_name


async def run(mesh: Settings, settings: ChatSettings) -> None:
    """Serve chat completions at both doors until SIGTERM."""
    models = Models("chat", settings.models, mesh)
    await process.serve_models(
        models, partial(load_model, service=settings), _doors(models), settings, needed_bytes
    )


def _doors(models: Models) -> list[Door]:
    add_service = chat_pb2_grpc.add_ChatServiceServicer_to_server
    add_rest = chat_pb2_grpc.add_ChatRestServicer_to_server
    return [
        Door(_NAMES["ChatService"].full_name, partial(add_service, ChatService(models))),
        Door(_NAMES["ChatRest"].full_name, partial(add_rest, ChatRest(models))),
    ]


if __name__ == "__main__":
    sys.exit(process.main("chat", ChatSettings, run))
