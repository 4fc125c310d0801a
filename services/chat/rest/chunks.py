"""The events of a stream, around chunks of either endpoint: what never changes is encoded once."""

from abc import ABC, abstractmethod

import msgspec

from services.chat.models.answers import Growth, Usage
from services.chat.rest.envelope import Envelope, usage_of

DONE = b"data: [DONE]\n\n"

encode = msgspec.json.Encoder().encode


class Chunks(ABC):
    """Writes one stream."""

    def __init__(self, envelope: Envelope, *, includes_usage: bool) -> None:
        """Begin a stream.

        Args:
            envelope: What all chunks share.
            includes_usage: Whether a last chunk tells what it took; the others say that they
                do not.
        """
        self._head = b"data: " + encode(envelope)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if includes_usage else b"]}\n\n"
        self._includes_usage = includes_usage

    @abstractmethod
    def write(self, growth: Growth) -> bytes:
        """Return the events that tell what a choice has grown by."""

    def end(self, usage: Usage) -> bytes:
        """Return the events behind the last choice's end."""
        if not self._includes_usage:
            return DONE
        return self._head + b'],"usage":' + encode(usage_of(usage)) + b"}\n\n" + DONE
