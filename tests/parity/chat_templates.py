"""The prompts of transformers. Run as a module it records them, for tests that run without it."""

import hashlib
import json
import sys
from datetime import datetime
from typing import Any

import tokenizers
import transformers
from transformers.utils import chat_template_utils

from tests.unit.chat.conversations import (
    CONVERSATIONS,
    NOON,
    RECORDED,
    SPECIAL_TOKENS,
    TEMPLATES,
    Conversation,
)


class Noon(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return NOON


def reference_prompt(template: str, conversation: Conversation, *, open_end: bool) -> str | None:
    """Return the prompt, or None where transformers refuses.

    It leaves the form of arguments to its caller: objects first, then the text as OpenAI has it.
    """
    for messages in (_with_objects(conversation.messages), conversation.messages):
        chat_template_utils.datetime = Noon
        try:
            prompt: str = _TOKENIZER.apply_chat_template(
                messages,
                tools=conversation.tools,
                chat_template=template,
                add_generation_prompt=open_end,
                tokenize=False,
                **conversation.variables,
            )
        except Exception:  # noqa: BLE001, S112 - a template may fail in any way
            continue
        finally:
            chat_template_utils.datetime = datetime
        return prompt
    return None


def _with_objects(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**message, "tool_calls": [_with_object(call) for call in message["tool_calls"]]}
        if "tool_calls" in message
        else message
        for message in messages
    ]


def _with_object(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}


_TOKENIZER = transformers.PreTrainedTokenizerFast(
    tokenizer_object=tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"<unk>": 0}, unk_token="<unk>")  # noqa: S106
    ),
    **SPECIAL_TOKENS,
)


def record() -> None:
    """Write the digest of every prompt."""
    records: dict[str, dict[str, str | None]] = {}
    for path in sorted(TEMPLATES.glob("*.jinja")):
        digests = records[path.stem] = {}
        for case, conversation in CONVERSATIONS.items():
            for open_end in (False, True):
                prompt = reference_prompt(
                    path.read_text(encoding="utf-8"), conversation, open_end=open_end
                )
                key = f"{case}, open" if open_end else case
                digests[key] = prompt and hashlib.sha256(prompt.encode()).hexdigest()[:16]
    RECORDED.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(record())
