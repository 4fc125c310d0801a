"""A loaded chat model: conversations in, growing answers out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from services.chat.config import ChatModelSettings
from services.chat.engine.conversation import Continuation, Conversation
from services.chat.engine.grammars import Grammars
from services.chat.engine.request import Request, Sampling
from services.chat.models.answers import Answers, Usage
from services.chat.models.continuing import Continuing
from services.chat.models.prompting import Prompt, Prompting
from services.chat.models.thread import EngineThread
from services.chat.models.writing import ChoiceWriter, GrowingAnswers
from services.runtime.registry import Description, Registry

INLINE_CHARACTERS = 4000
"""Conversations with no more are written and read on the event loop (under a millisecond)."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a model is made of."""

    description: Description
    prompting: Prompting
    grammars: Grammars
    advised: Sampling
    """How its makers would have it sampled."""
    thread: EngineThread
    guides_calls: bool = False
    """Whether calls keep to the schemas of their tools where nobody asks for that."""


class ChatModel:
    """A loaded model with its engine's thread."""

    def __init__(self, name: str, parts: Parts) -> None:
        """Take its parts.

        Args:
            name: The model's id.
            parts: What it is made of.
        """
        self.name = name
        self.description = parts.description
        self._parts = parts
        self._reading = ThreadPoolExecutor(1, thread_name_prefix=f"prompts-{name}")

    def is_alive(self) -> bool:
        """Tell whether the engine makes progress."""
        return self._parts.thread.is_alive()

    def close(self) -> None:
        """End its threads; what the engine holds is free when this returns."""
        self._parts.thread.close()
        self._reading.shutdown()

    async def count_tokens(self, conversation: Conversation) -> int:
        """Return how many tokens a conversation has as the model reads it.

        Raises:
            InvalidRequestError: The template cannot write these messages.
        """
        return len((await self._write(conversation)).tokens)

    @contextlib.asynccontextmanager
    async def answer(
        self, conversation: Conversation, *, key: str, deadline_s: float | None = None
    ) -> AsyncIterator[Answers]:
        """Answer a conversation; leaving early ends what is left of it at the next step.

        Args:
            conversation: What to answer.
            key: Whom it is for, for fairness.
            deadline_s: When the caller stops waiting, on the clock of `time.monotonic`.

        Raises:
            InvalidRequestError: The model cannot do what is asked; `param` names the field.
            OverloadedError: Too many answers wait already.
        """
        thread, prompting = self._parts.thread, self._parts.prompting
        wishes = conversation.wishes
        thread.check_room(wishes.choices)
        prompt = await self._write(conversation)
        grammar = None
        if conversation.constraint is not None or conversation.offered:
            grammar = await self._in_thread(
                self._parts.grammars.of_conversation,
                conversation,
                thinks=prompt.thinks,
                guides_calls=self._parts.guides_calls,
            )
        request = Request(
            prompt=prompt.tokens,
            sampling=wishes.sampling(self._parts.advised),
            max_tokens=wishes.max_tokens,
            stops=wishes.stops,
            choices=wishes.choices,
            key=key,
            deadline_s=deadline_s,
            grammar=grammar,
        )

        def new_writer(_choice: int) -> ChoiceWriter:
            parser = prompting.new_parser(conversation, thinks=prompt.thinks)
            return ChoiceWriter(parser, prompting.pieces, thinks=prompt.thinks)

        with thread.ask([request]) as mailbox:
            yield GrowingAnswers(mailbox, new_writer, self._usage([request]))

    @contextlib.asynccontextmanager
    async def go_on(
        self, continuation: Continuation, *, key: str, deadline_s: float | None = None
    ) -> AsyncIterator[Answers]:
        """Go on with texts; the answers to each of them stand side by side. As `answer` otherwise.

        Raises:
            InvalidRequestError: As `answer`.
            OverloadedError: As `answer`.
        """
        thread = self._parts.thread
        thread.check_room(continuation.answers)
        is_long = continuation.is_longer_than(INLINE_CHARACTERS)
        continuing = await self._aside(
            is_long,
            Continuing.read,
            continuation,
            self._parts.prompting,
            self.description.context_length,
        )
        grammar = None
        if continuation.constraint is not None:
            grammar = await self._in_thread(self._parts.grammars.of_continuation, continuation)
        requests = continuing.requests(
            self._parts.advised, key=key, deadline_s=deadline_s, grammar=grammar
        )
        with thread.ask(requests) as mailbox:
            answers = GrowingAnswers(mailbox, continuing.new_writer, self._usage(requests))
            yield continuing.ranked(answers)

    async def _write(self, conversation: Conversation) -> Prompt:
        is_long = conversation.is_longer_than(INLINE_CHARACTERS)
        write = self._parts.prompting.write
        return await self._aside(is_long, write, conversation, self.description.context_length)

    def _usage(self, requests: Sequence[Request]) -> Usage:
        return Usage(self.name, sum(len(request.prompt) for request in requests))

    async def _aside(
        self, is_long: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what is short at once, and what is long in a thread, so that nobody is held up."""
        if not is_long:
            return work(*args, **kwargs)
        return await self._in_thread(work, *args, **kwargs)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, partial(work, *args, **kwargs))


Models = Registry[ChatModelSettings, ChatModel]
"""The models of the service by name."""
