"""`text_completion`: what prompts were continued with, told at once.

Source: https://platform.openai.com/docs/api-reference/completions/object
"""

from collections.abc import Sequence
from typing import Any

from services.chat.models.choices import Choice
from services.chat.rest.legacy.logprobs import LogprobLists


def completion_choices(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """Return the field `choices`."""
    return [
        {
            "text": choice.content,
            "index": index,
            "logprobs": LogprobLists().write(choice.logprobs) if choice.logprobs else None,
            "finish_reason": choice.finish,
        }
        for index, choice in enumerate(choices)
    ]
