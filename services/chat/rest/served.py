"""What the door needs of the models: who answers under a name."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from services.chat.engine.conversation import Continuation, Conversation
from services.chat.models.answers import Answers


class Model(Protocol):
    """Answers; leaving the context cancels what is not finished.

    Entering it takes no longer than reading the prompt: the door sends no ping meanwhile.
    """

    def answer(
        self, conversation: Conversation, *, key: str, deadline_s: float | None
    ) -> AbstractAsyncContextManager[Answers]:
        """Answer messages; `deadline_s` is on the clock of `time.monotonic`."""

    def go_on(
        self, continuation: Continuation, *, key: str, deadline_s: float | None
    ) -> AbstractAsyncContextManager[Answers]:
        """Go on with prompts; answer `j` of prompt `i` is choice `i * choices + j`."""


class Models(Protocol):
    """The models by name."""

    def lease(self, name: str) -> AbstractContextManager[Model]:
        """Return a model that stays loaded until the context is left.

        Raises:
            ServiceError: Nobody serves the name, or not now.
        """
