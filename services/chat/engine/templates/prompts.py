"""From messages to the model's prompt: picks the template, gives it its variables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.chat.engine.templates.folder import (
    DEFAULT,
    TOOL_USE,
    TemplateSources,
    read_template_sources,
    try_read_template_sources,
)
from services.chat.engine.templates.messages import Message
from services.chat.engine.templates.sandbox import Clock, local_time, open_sandbox
from services.chat.engine.templates.template import ChatTemplate
from services.runtime.errors import InvalidRequestError, shown

_RESERVED = ("messages", "tools", "documents", "add_generation_prompt")


class Prompts:
    """Writes the prompts of one model."""

    def __init__(self, sources: TemplateSources, *, clock: Clock = local_time) -> None:
        """Compile the templates of a folder.

        Args:
            sources: What the folder says.
            clock: The time that templates write into prompts.

        Raises:
            ArtifactError: A template cannot be compiled.
        """
        sandbox = open_sandbox(clock)
        self._templates = {
            name: ChatTemplate(
                text,
                sandbox,
                sources.special_tokens,
                f"{sources.folder}, chat template '{name}'",
            )
            for name, text in sources.by_name.items()
            if name in {DEFAULT, TOOL_USE}
        }

    def template(self, *, with_tools: bool) -> ChatTemplate:
        """Return the template that writes a prompt with or without tools."""
        name = TOOL_USE if with_tools and TOOL_USE in self._templates else DEFAULT
        return self._templates[name]

    def write(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """Return the prompt. It brings its special tokens: encode it without adding others.

        Args:
            messages: OpenAI's messages, at least one.
            tools: OpenAI's tools; None and none at all are the same.
            documents: Texts to answer from, for templates that know them.
            add_generation_prompt: Whether the prompt ends where the assistant is to speak.
            variables: The caller's `chat_template_kwargs`; they win over special tokens.

        Raises:
            InvalidRequestError: The template cannot write these messages, or a variable has a
                name of ours.
        """
        variables = variables or {}
        for name in variables:
            if name in _RESERVED:
                raise InvalidRequestError(
                    f"Invalid value for 'chat_template_kwargs': {shown(name)} is set by the"
                    " request itself.",
                    param="chat_template_kwargs",
                    code="invalid_value",
                )
        return self.template(with_tools=bool(tools)).render(
            messages,
            {
                **variables,
                "tools": list(tools) if tools else None,
                "documents": list(documents) if documents else None,
                "add_generation_prompt": add_generation_prompt,
            },
        )


def read_prompts(folder: Path, *, clock: Clock = local_time) -> Prompts:
    """Return what writes the prompts of the model in a folder.

    Raises:
        ArtifactError: There is no template, or it cannot be compiled.
    """
    return Prompts(read_template_sources(folder), clock=clock)


def try_read_prompts(folder: Path, *, clock: Clock = local_time) -> Prompts | None:
    """Return what writes the prompts of the model in a folder; None where it has no template.

    Raises:
        ArtifactError: A template cannot be compiled.
    """
    sources = try_read_template_sources(folder)
    return None if sources is None else Prompts(sources, clock=clock)
