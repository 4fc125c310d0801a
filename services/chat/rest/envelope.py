"""What stands around every answer: its id, when it was made, by whom, and what it took."""

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from services.chat.models.answers import Usage


class Envelope(msgspec.Struct, frozen=True):
    """The fields that all parts of one answer share, in the order in which they are written."""

    id: str
    object: str
    created: int
    """In seconds since 1970."""
    model: str
    """The id of the model, whichever alias it was asked by."""
    system_fingerprint: str | None = None

    def json_around(self, choices: Sequence[Any], usage: Usage) -> bytes:
        """Return the whole answer."""
        whole = {**msgspec.structs.asdict(self), "choices": choices, "usage": usage_of(usage)}
        return msgspec.json.encode(whole)


def new_id(prefix: str) -> str:
    """Return an id that no other answer has."""
    return f"{prefix}-{secrets.token_hex(16)}"


def usage_of(usage: Usage) -> dict[str, object]:
    """Return what an answer took, in OpenAI's form; what there cannot be is 0."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
