"""The fields that both endpoints share: how answers are made, and how they are sent."""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from services.chat.engine.conversation import Wishes
from services.chat.rest.formats import ResponseFormat
from services.chat.rest.mistakes import invalid
from services.runtime.errors import shown

IGNORED = frozenset(
    {
        "metadata",
        "moderation",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""Fields of the hosted service that are accepted and do nothing."""

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1)]

_TOKEN_ID = re.compile(r"[0-9]{1,10}")


class StreamOptions(msgspec.Struct):
    """What a stream holds beside the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    """Padding against eavesdroppers who count bytes: accepted, does nothing."""


class GenerationBody(msgspec.Struct, kw_only=True):
    """What the body of either endpoint may say about how answers are made.

    Source: https://platform.openai.com/docs/api-reference/chat/create
    """

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    """By token id, which JSON writes as a string."""
    seed: Int64 | None = None
    stop: str | list[str] | None = None
    response_format: ResponseFormat | None = None

    top_k: int | None = None
    """An extra: only the so many likeliest tokens; 0 and -1 take all."""
    min_p: float | None = None
    """An extra: only tokens with this share of the likeliest one's probability."""
    repetition_penalty: float | None = None
    """An extra: above 1 weakens what is in prompt or answer."""
    regex: str | None = None
    """An extra: the content matches this pattern."""
    grammar: str | None = None
    """An extra: the content follows this grammar, in Lark's notation."""
    choice: list[str] | None = None
    """An extra: the content is one of these texts."""

    @property
    def includes_usage(self) -> bool:
        """Whether the stream ends with what it took."""
        return bool(self.stream_options and self.stream_options.include_usage)


def read_wishes(
    body: GenerationBody, *, max_tokens: int | None, top_logprobs: int | None
) -> Wishes:
    """Return how the caller wants the answer made.

    Raises:
        InvalidRequestError: A field is out of its range, or does not go with another.
    """
    if body.stream_options is not None and not body.stream:
        raise invalid("stream_options", "it is only allowed when 'stream' is true.")
    return Wishes(
        temperature=body.temperature,
        top_k=0 if body.top_k == -1 else body.top_k,
        top_p=body.top_p,
        min_p=body.min_p,
        repetition_penalty=body.repetition_penalty,
        frequency_penalty=body.frequency_penalty,
        presence_penalty=body.presence_penalty,
        logit_bias=_bias_by_token(body.logit_bias or {}),
        seed=body.seed,
        top_logprobs=top_logprobs,
        max_tokens=max_tokens,
        stops=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        choices=1 if body.n is None else body.n,
    )


def _bias_by_token(bias: Mapping[str, float]) -> dict[int, float]:
    for key in bias:
        if not _TOKEN_ID.fullmatch(key):
            raise invalid("logit_bias", f"the key {shown(key)} is no token id, such as '1024'.")
    return {int(key): value for key, value in bias.items()}
