"""`chat.completion.chunk`: what a choice has grown by, as deltas.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from services.chat.engine.events import (
    ContentDelta,
    Event,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallStart,
)
from services.chat.models.answers import FinishReason, Growth
from services.chat.rest.chat_completion import finish_reason
from services.chat.rest.chunks import Chunks, encode
from services.chat.rest.envelope import Envelope
from services.chat.rest.logprobs import logprobs_of

_ROLE = b'{"role":"assistant","content":""}'
_NO_TEXT = b'{"content":""}'


class ChatChunks(Chunks):
    """Writes the stream of a chat: a chunk for each event, in their order."""

    def __init__(self, envelope: Envelope, *, includes_usage: bool, has_functions: bool) -> None:
        """Begin a stream.

        Args:
            envelope: What all chunks share.
            includes_usage: As in `Chunks`.
            has_functions: Whether calls are told in the older form.
        """
        super().__init__(envelope, includes_usage=includes_usage)
        self._has_functions = has_functions
        self._goes_on = b',"logprobs":null,"finish_reason":null}' + self._tail
        self._begun = set[int]()

    def write(self, growth: Growth) -> bytes:
        """Return the events that tell what a choice has grown by.

        Log probabilities stand in the first of them, and in one without text where the text of
        their tokens is still to come.
        """
        choice = growth.choice
        deltas = [delta for event in growth.events if (delta := self._delta(event))]
        chunks = list[bytes]()
        if choice not in self._begun:
            self._begun.add(choice)
            chunks.append(self._chunk(choice, _ROLE))
        if growth.logprobs:
            logprobs = encode(logprobs_of(growth.logprobs))
            chunks.append(self._chunk_with(choice, deltas[0] if deltas else _NO_TEXT, logprobs))
            deltas = deltas[1:]
        chunks += [self._chunk(choice, delta) for delta in deltas]
        if growth.finish is not None:
            chunks.append(self._chunk_with(choice, b"{}", b"null", growth.finish))
        return b"".join(chunks)

    def _chunk(self, choice: int, delta: bytes) -> bytes:
        return b'%b{"index":%d,"delta":%b%b' % (self._head, choice, delta, self._goes_on)

    def _chunk_with(
        self, choice: int, delta: bytes, logprobs: bytes, finish: FinishReason | None = None
    ) -> bytes:
        reason = encode(finish_reason(finish, has_functions=self._has_functions))
        told = b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}'
        return self._head + told % (choice, delta, logprobs, reason) + self._tail

    def _delta(self, event: Event) -> bytes:
        match event:
            case ContentDelta(text):
                return b'{"content":%b}' % encode(text)
            case ReasoningDelta(text):
                return b'{"reasoning_content":%b}' % encode(text)
            case ToolCallStart(index, call_id, name):
                return self._call(index, {"name": name, "arguments": ""}, call_id)
            case ToolCallArguments(index, fragment):
                return self._call(index, {"arguments": fragment})
        return b""

    def _call(self, index: int, function: dict[str, str], call_id: str | None = None) -> bytes:
        """Return the delta of a call; only its first one has an id."""
        if self._has_functions:
            # There is one call at most in the older form.
            return encode({"function_call": function}) if index == 0 else b""
        first = {} if call_id is None else {"id": call_id, "type": "function"}
        return encode({"tool_calls": [{"index": index, **first, "function": function}]})
