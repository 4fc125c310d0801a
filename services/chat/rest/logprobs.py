"""Log probabilities of a chat's tokens, in OpenAI's form."""

from collections.abc import Sequence

from services.chat.models.answers import TokenLogprob, TokenText

LEAST = -9999.0
"""What is told for less, down to minus infinity, for which JSON has no number.

Source: https://platform.openai.com/docs/api-reference/chat/object (`logprobs.content.logprob`)
"""


def logprobs_of(logprobs: Sequence[TokenLogprob]) -> dict[str, object] | None:
    """Return the field `logprobs` of a choice or a chunk; None where there are none."""
    if not logprobs:
        return None
    content = [
        {**_token(place.token), "top_logprobs": [_token(other) for other in place.top]}
        for place in logprobs
    ]
    return {"content": content, "refusal": None}


def told(logprob: float | None) -> float | None:
    """Return a log probability as JSON can hold it; the first token of a prompt has none."""
    return None if logprob is None else max(logprob, LEAST)


def _token(token: TokenText) -> dict[str, object]:
    return {"token": token.text, "logprob": told(token.logprob), "bytes": list(token.data)}
