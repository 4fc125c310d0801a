"""Conversations that every chat template is tried with, and the templates that people use."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.chat.engine.templates.folder import TemplateSources
from services.chat.engine.templates.prompts import Prompts

TEMPLATES = Path(__file__).parents[4] / "shared" / "data" / "chat-templates"
RECORDED = Path(__file__).with_name("recorded_prompts.json")
"""What transformers writes, as digests: template, conversation, digest or null where it refuses."""

SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conversation:
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    variables: dict[str, Any] = field(default_factory=dict)


def tool(name: str, description: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


def calling(arguments: Any, **more: Any) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": arguments}
    call = {"id": "abc123def", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call], **more}


TOOLS = [
    tool(
        "get_weather",
        "Tell the <b>weather</b> & more.",
        city={"type": "string", "description": "Name of the city: Zürich, “Genève”"},
        units={"type": "string", "enum": ["c", "f"]},
    ),
    tool(
        "book",
        "Book a trip.",
        trip={
            "type": "object",
            "description": "Where to, and for how long",
            "properties": {
                "to": {"type": "string"},
                "days": {"type": "integer", "minimum": 1},
                "stops": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["to"],
        },
    ),
]
ARGUMENTS = {"units": "c", "city": "Zürich <1>"}
SYSTEM = {"role": "system", "content": " Be brief.\n"}
ASKED = {"role": "user", "content": "Hello, 你好 & <b>é</b>!"}
SAID = {"role": "assistant", "content": "Hi, 'there'."}
THOUGHT = {**SAID, "reasoning_content": "They greet me."}
CALLED = calling(json.dumps(ARGUMENTS, ensure_ascii=False))
FOUND = {
    "role": "tool",
    "tool_call_id": "abc123def",
    "name": "get_weather",
    "content": '{"degrees": 21}',
}

CONVERSATIONS = {
    "words": Conversation([SYSTEM, ASKED, SAID, ASKED]),
    "words without system": Conversation([ASKED, SAID, ASKED]),
    "thoughts": Conversation([ASKED, THOUGHT, ASKED], variables={"enable_thinking": False}),
    "tools": Conversation([SYSTEM, ASKED], TOOLS),
    "a call and its result": Conversation([SYSTEM, ASKED, CALLED, FOUND], TOOLS),
    "a call, long ago": Conversation([ASKED, CALLED, FOUND, SAID, ASKED], TOOLS),
}


def prompts_of(template: str) -> Prompts:
    """Return what writes the prompts of a template."""
    sources = TemplateSources(Path("folder"), {"default": template}, SPECIAL_TOKENS)
    return Prompts(sources, clock=lambda: NOON)
