"""Dialogues as the chat template writes them, in the sandbox that will write them when served."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from services.chat.engine.templates.sandbox import open_sandbox
from training.chat.dialogue import Dialogue

TEMPLATE = Path(__file__).parent / "template.jinja"

_ANSWER = re.compile(r"(?<=<\|im_start\|>assistant\n)(.*?<\|im_end\|>)", re.DOTALL)


class Prompts:
    """Writes dialogues."""

    def __init__(self) -> None:
        sandbox = open_sandbox(lambda: datetime(2026, 1, 1, tzinfo=UTC))
        self._template = sandbox.from_string(TEMPLATE.read_text(encoding="utf-8"))

    def render(self, dialogue: Dialogue, *, is_question: bool = False) -> str:
        """Return the text of a dialogue; where it is a question, up to where the answer begins."""
        return self._template.render(
            messages=[message.as_openai() for message in dialogue.messages],
            tools=list(dialogue.tools) or None,
            add_generation_prompt=is_question,
        )

    def pieces(self, dialogue: Dialogue) -> Iterator[tuple[str, bool]]:
        """Return the text in pieces; whether each is the assistant's, to be learned."""
        for place, piece in enumerate(_ANSWER.split(self.render(dialogue))):
            if piece:
                yield piece, bool(place % 2)
