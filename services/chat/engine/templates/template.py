"""One chat template: compiled once, rendered for every request."""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes

from services.chat.engine.templates.conventions import Conventions, find_conventions
from services.chat.engine.templates.messages import Message, arrange
from services.chat.engine.templates.sandbox import MAX_CHARACTERS
from services.runtime.artifacts import ArtifactError
from services.runtime.errors import InvalidRequestError


class ChatTemplate:
    """A compiled template and what it expects of messages."""

    def __init__(
        self,
        source: str,
        sandbox: jinja2.Environment,
        special_tokens: Mapping[str, str],
        place: str,
    ) -> None:
        """Compile a template and find out how it wants its messages.

        Args:
            source: The template's text.
            sandbox: What compiles and runs it.
            special_tokens: `bos_token` and its like, by name.
            place: Where it comes from, for messages.

        Raises:
            ArtifactError: It is not a template of jinja2.
        """
        try:
            self._template = sandbox.from_string(source)
            tree = sandbox.parse(source)
        except jinja2.TemplateSyntaxError as error:
            raise ArtifactError(f"{place}, line {error.lineno}: {error.message}") from None
        except Exception as error:  # folding constants runs the template's own code
            raise ArtifactError(f"{place}: cannot be compiled: {error}") from error
        constants = {node.value for node in tree.find_all(nodes.Const)}
        self.source = source
        self._special_tokens = special_tokens
        self.conventions: Conventions = find_conventions(self._try, constants)

    def render(self, messages: Sequence[Message], variables: Mapping[str, Any]) -> str:
        """Return the prompt.

        Args:
            messages: OpenAI's messages; they are brought into the template's form.
            variables: What else the template may read; they win over special tokens.

        Raises:
            InvalidRequestError: The template refuses the messages, or cannot render them.
        """
        arranged = arrange(messages, self.conventions)
        try:
            return self._render(arranged, variables)
        except jinja2.TemplateRuntimeError as error:  # undefined names, the sandbox's refusals
            raise _failed(error) from error
        except jinja2.TemplateError as error:  # the template's own `raise_exception`
            raise InvalidRequestError(
                f"The model's chat template refuses these messages: {error}", param="messages"
            ) from error
        except Exception as error:  # a template is a program: anything may go wrong in it
            raise _failed(error) from error

    def _render(self, messages: list[dict[str, Any]], variables: Mapping[str, Any]) -> str:
        pieces = []
        written = 0
        known = {**self._special_tokens, **variables, "messages": messages}
        for piece in self._template.generate(known):
            pieces.append(piece)
            written += len(piece)
            if written > MAX_CHARACTERS:
                raise jinja2.exceptions.SecurityError(f"more than {MAX_CHARACTERS} characters")
        return "".join(pieces)

    def _try(self, messages: list[dict[str, Any]], variables: Mapping[str, Any]) -> str:
        """Return what the template writes, or nothing where it fails."""
        try:
            return self._render(messages, variables)
        except Exception:  # noqa: BLE001 - it was a question; the answer is no
            return ""


def _failed(error: Exception) -> InvalidRequestError:
    return InvalidRequestError(
        f"The model's chat template cannot render these messages: {type(error).__name__}: {error}",
        param="messages",
    )
