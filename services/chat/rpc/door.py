"""`switchboard.chat.v1.ChatService`."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from switchboard.chat.v1 import chat_pb2, chat_pb2_grpc

from services.chat.engine.conversation import Conversation
from services.chat.models.answers import Answers
from services.chat.models.choices import collect
from services.chat.models.model import Models
from services.chat.rpc.answers import choice_of, delta_of, usage_of
from services.chat.rpc.conversations import read_conversation
from services.runtime import calls

INLINE_BYTES = 64 * 1024
"""Conversations with no more are read on the event loop (in about a millisecond)."""


class ChatService(chat_pb2_grpc.ChatServiceServicer):
    """Serves programs in the mesh."""

    def __init__(self, models: Models) -> None:
        """Take the models of the service."""
        self._models = models

    async def CreateChatCompletion(
        self, request: chat_pb2.CreateChatCompletionRequest, context: Any
    ) -> chat_pb2.CreateChatCompletionResponse:
        """Answer when the whole answer is there."""
        async with self._answering(request, context) as answers:
            choices = await collect(answers)
            return chat_pb2.CreateChatCompletionResponse(
                id=_new_id(),
                model=answers.usage.model,
                created=int(time.time()),
                choices=[choice_of(index, choice) for index, choice in enumerate(choices)],
                usage=usage_of(answers.usage),
            )

    async def StreamChatCompletion(
        self, request: chat_pb2.StreamChatCompletionRequest, context: Any
    ) -> AsyncIterator[chat_pb2.StreamChatCompletionResponse]:
        """Answer while the answer grows."""
        async with self._answering(request, context) as answers:
            new_message = partial(
                chat_pb2.StreamChatCompletionResponse,
                id=_new_id(),
                model=answers.usage.model,
                created=int(time.time()),
            )
            async for grown in answers:
                yield new_message(choices=map(delta_of, grown))
            yield new_message(usage=usage_of(answers.usage))

    async def CountTokens(
        self, request: chat_pb2.CountTokensRequest, context: Any
    ) -> chat_pb2.CountTokensResponse:
        """Answer with the length of a conversation."""
        conversation = await _read(request.conversation)
        with self._models.lease(request.model) as model:
            return chat_pb2.CountTokensResponse(
                prompt_tokens=await model.count_tokens(conversation),
                context_tokens=model.description.context_length,
            )

    @asynccontextmanager
    async def _answering(
        self,
        request: chat_pb2.CreateChatCompletionRequest | chat_pb2.StreamChatCompletionRequest,
        context: Any,
    ) -> AsyncIterator[Answers]:
        """Have a request answered, and note what it costs however it ends."""
        call = calls.current()
        conversation = await _read(request.conversation, request.generation)
        left_s = context.time_remaining()
        deadline_s = None if left_s is None else time.monotonic() + left_s
        with self._models.lease(request.model) as model:
            async with model.answer(conversation, key=call.key, deadline_s=deadline_s) as answers:
                try:
                    yield answers
                finally:
                    call.usage = answers.usage.told()


async def _read(
    asked: chat_pb2.Conversation, generation: chat_pb2.Generation | None = None
) -> Conversation:
    """Return what is asked; what is long is read in a thread, as it holds up all."""
    size_bytes = asked.ByteSize() + (generation.ByteSize() if generation else 0)
    if size_bytes <= INLINE_BYTES:
        return read_conversation(asked, generation)
    return await asyncio.to_thread(read_conversation, asked, generation)


def _new_id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"
