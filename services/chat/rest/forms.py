"""What the two endpoints differ in when they write answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.chat.models.choices import Choice
from services.chat.rest.body import ChatBody
from services.chat.rest.chat_chunks import ChatChunks
from services.chat.rest.chat_completion import chat_choices
from services.chat.rest.chunks import Chunks
from services.chat.rest.envelope import Envelope
from services.chat.rest.legacy.body import CompletionBody
from services.chat.rest.legacy.chunks import CompletionChunks
from services.chat.rest.legacy.completion import completion_choices


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer to one request is written."""

    id_prefix: str
    object: str
    """The name of an answer that is told at once."""
    chunk_object: str
    """The name of what a stream consists of."""
    choices: Callable[[Sequence[Choice]], list[dict[str, Any]]]
    """Return the field `choices` of an answer that is told at once."""
    chunks: Callable[[Envelope], Chunks]
    """Begin a stream."""


def chat_form(body: ChatBody) -> Form:
    """Return how the answer to a chat is written."""
    has_functions = body.has_functions
    return Form(
        "chatcmpl",
        "chat.completion",
        "chat.completion.chunk",
        partial(chat_choices, has_functions=has_functions),
        partial(ChatChunks, includes_usage=body.includes_usage, has_functions=has_functions),
    )


def completion_form(body: CompletionBody) -> Form:
    """Return how a continuation is written."""
    return Form(
        "cmpl",
        "text_completion",
        "text_completion",
        completion_choices,
        partial(CompletionChunks, includes_usage=body.includes_usage),
    )
