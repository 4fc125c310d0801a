"""`text_completion` as a stream: a chunk is an answer that holds what is new.

Source: https://platform.openai.com/docs/api-reference/completions/create (`stream`)
"""

from services.chat.engine.events import ContentDelta
from services.chat.models.answers import Growth
from services.chat.rest.chunks import Chunks, encode
from services.chat.rest.envelope import Envelope
from services.chat.rest.legacy.logprobs import LogprobLists


class CompletionChunks(Chunks):
    """Writes the stream of a continuation."""

    def __init__(self, envelope: Envelope, *, includes_usage: bool) -> None:
        """Begin a stream; arguments as in `Chunks`."""
        super().__init__(envelope, includes_usage=includes_usage)
        self._lists: dict[int, LogprobLists] = {}

    def write(self, growth: Growth) -> bytes:
        """Return the event that tells what a choice has grown by."""
        text = "".join(event.text for event in growth.events if isinstance(event, ContentDelta))
        chunk = {
            "text": text,
            "index": growth.choice,
            "logprobs": self._logprobs(growth) if growth.logprobs else None,
            "finish_reason": growth.finish,
        }
        return self._head + encode(chunk) + self._tail

    def _logprobs(self, growth: Growth) -> dict[str, object]:
        return self._lists.setdefault(growth.choice, LogprobLists()).write(growth.logprobs)
