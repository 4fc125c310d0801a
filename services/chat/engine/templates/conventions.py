"""What a template leaves unsaid: the form in which it wants each message.

Templates agree on roles and little else. Some iterate over the parts of a content, some add it to
a text; some write the arguments of a tool call as JSON, some take them as written. Nothing in a
folder says which, so a template is shown small conversations, and the prompts tell.

Source: vLLM, `entrypoints/chat_utils.py` (the content format, found there in the syntax tree);
minja, `chat-template.hpp` (capabilities, found by rendering)
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

Render = Callable[[list[dict[str, Any]], Mapping[str, Any]], str]
"""Messages and variables to text; nothing where the template fails."""

ROLES = ("user", "system", "assistant", "tool")

_WORD = "needle4281"
_KEY = "haystack4281"
_CALL_ID = "abcdef123"  # nine characters: Mistral's templates count them
_QUOTED_PART = re.compile(rf"""text\\*['"]: *\\*['"]{_WORD}""")
_QUOTED_KEY = re.compile(rf"""\\"{_KEY}|'{_KEY}'""")
_FUNCTION = {
    "name": "find",
    "description": "Finds.",
    "parameters": {
        "type": "object",
        "properties": {"what": {"type": "string", "description": "What."}},
        "required": ["what"],
    },
}
_VARIABLES: dict[str, Any] = {
    "tools": [{"type": "function", "function": _FUNCTION}],
    "documents": None,
    "add_generation_prompt": False,
}


Arguments = Literal["object", "text"]
CallContent = Literal["absent", "empty", "null"]

_ARGUMENTS: dict[Arguments, Any] = {
    "object": {_KEY: _WORD},
    "text": f'{{"{_KEY}": "{_WORD}"}}',
}
_CALL_CONTENTS: dict[CallContent, dict[str, Any]] = {
    "absent": {},
    "empty": {"content": ""},
    "null": {"content": None},
}


@dataclass(frozen=True, slots=True)
class Contents:
    """Which forms of a role's content reach the prompt."""

    takes_text: bool = True
    takes_parts: bool = False


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a template wants its messages."""

    knows_developer: bool = False
    """Whether it names the role `developer`; else such a message is a `system` message."""
    contents: Mapping[str, Contents] = field(default_factory=dict)
    """The forms of content by role."""
    arguments: Arguments = "object"
    """How it wants the arguments of a tool call: as an object, or as the JSON text."""
    call_content: CallContent = "absent"
    """What a message without content has in its place, beside tool calls."""


def find_conventions(render: Render, constants: Collection[object]) -> Conventions:
    """Ask a template for its conventions.

    Args:
        render: Renders with the template; is asked about a dozen times.
        constants: The literals of the template's code.
    """
    contents = {"user": _contents_of("user", render, Contents())}
    for role in ROLES[1:]:
        contents[role] = _contents_of(role, render, contents["user"])
    arguments, call_content = _call_forms(render, contents["user"])
    return Conventions("developer" in constants, contents, arguments, call_content)


def _contents_of(role: str, render: Render, user: Contents) -> Contents:
    """Return the forms of a role's content; the user's where neither reaches the prompt."""
    parts = [{"type": "text", "text": _WORD}]
    takes_text = _WORD in render(_conversation(role, _WORD, user), _VARIABLES)
    shown = render(_conversation(role, parts, user), _VARIABLES)
    takes_parts = _WORD in shown and not _QUOTED_PART.search(shown)
    return Contents(takes_text, takes_parts) if takes_text or takes_parts else user


def _conversation(role: str, content: Any, user: Contents) -> list[dict[str, Any]]:
    """Return the shortest conversation in which a role speaks naturally."""
    said = {"role": role, "content": content}
    asked = {"role": "user", "content": _plain("Hello", user)}
    match role:
        case "user":
            return [said]
        case "system":
            return [said, asked]
        case "assistant":
            return [asked, said, asked]
    return [asked, _calling({_KEY: "x"}, {"content": ""}), said | {"tool_call_id": _CALL_ID}]


def _plain(text: str, user: Contents) -> Any:
    return text if user.takes_text else [{"type": "text", "text": text}]


def _calling(arguments: Any, content: dict[str, Any]) -> dict[str, Any]:
    call = {
        "id": _CALL_ID,
        "type": "function",
        "function": {"name": "find", "arguments": arguments},
    }
    return {"role": "assistant", **content, "tool_calls": [call]}


def _call_forms(render: Render, user: Contents) -> tuple[Arguments, CallContent]:
    """Return the first form of a tool call that reaches the prompt, as JSON or as plain words.

    Where none does, the first that lets the conversation be written at all.
    """
    asked = {"role": "user", "content": _plain("Hello", user)}
    answered = {"role": "tool", "tool_call_id": _CALL_ID, "content": "Found."}
    written = list[tuple[Arguments, CallContent]]()
    for arguments, content in product(_ARGUMENTS, _CALL_CONTENTS):
        call = _calling(_ARGUMENTS[arguments], _CALL_CONTENTS[content])
        shown = render([asked, call, answered], _VARIABLES)
        if _WORD in shown and not _QUOTED_KEY.search(shown):
            return arguments, content
        if shown:
            written.append((arguments, content))
    return written[0] if written else ("object", "absent")
