"""From what a caller wants to the grammar of the whole answer: thoughts, then words or calls."""

from dataclasses import dataclass

from services.chat.engine.conversation import Constraint, Conversation
from services.chat.engine.grammars.calls import (
    CallWriter,
    opening_of,
    openings_of,
)
from services.chat.engine.grammars.channels import ChannelNotation
from services.chat.engine.grammars.constraints import write_constraint
from services.chat.engine.grammars.notation import Notation, Script
from services.chat.engine.grammars.texts import text_without
from services.chat.engine.reasoning import ReasoningTags
from services.chat.engine.tool_calls.formats import CallFormat

SPACE = r"(/[ \t\r\n]{1,8}/)?"
"""Before JSON and calls, where it means nothing."""

_BREAKS = r"(/\n{1,2}/)?"
"""Behind thoughts, to which they belong."""

_JSON_BEGINS = "{ \t\r\n"


@dataclass(frozen=True, slots=True)
class Forms:
    """How one model writes what is more than words."""

    call_format: CallFormat
    tags: ReasoningTags | None = None
    """The marks around its reasoning; None where it does not reason, or in channels."""
    drops_first_space: bool = False
    """Whether a space before an answer is no part of its text."""


def is_restrained(conversation: Conversation) -> bool:
    """Return whether the answer to a conversation may not be just anything."""
    if conversation.constraint is not None:
        return True
    choice = conversation.tool_choice
    return bool(conversation.offered) and (
        choice.mode == "required"
        or choice.names is not None
        or not conversation.parallel_tool_calls
        or any(tool.strict for tool in conversation.callable_tools)
    )


def content_script(notation: Notation, forms: Forms, constraint: Constraint) -> Script:
    """Return the grammar of an answer that is nothing but content.

    Raises:
        InvalidRequestError: What the caller wants cannot be enforced.
    """
    script = Script()
    script.define("start", _content(script, notation, constraint, forms))
    return script


def answer_script(
    notation: Notation, forms: Forms, conversation: Conversation, *, thinks: bool
) -> Script:
    """Return the grammar of an answer to a conversation.

    Args:
        notation: How texts are written.
        forms: How the model writes thoughts and calls.
        conversation: What is answered; the answer is restrained.
        thinks: Whether the prompt ends inside the tags of reasoning.

    Raises:
        InvalidRequestError: What the caller wants cannot be enforced.
    """
    writer = _AnswerWriter(notation, forms, conversation)
    if forms.call_format.tells_reasoning:
        body = writer.in_channels()
    else:
        body = f"{writer.thoughts(is_open=thinks)} ({writer.behind_thoughts()})"
    writer.script.define("start", body)
    return writer.script


class _AnswerWriter:
    """Writes the parts of one answer."""

    def __init__(self, notation: Notation, forms: Forms, conversation: Conversation) -> None:
        self.script = Script()
        self._notation = notation
        self._forms = forms
        self._conversation = conversation

    def thoughts(self, *, is_open: bool) -> str:
        """Return thoughts; where the prompt has not begun them, they may be left out.

        They hold no marks of calls where these are tokens: a model that wants to call a tool has
        to end its thoughts first.
        """
        tags = self._forms.tags
        if tags is None:
            return ""
        text = f"{self._notation.text_until(tags.end)} {_BREAKS}"
        return text if is_open else f"({self._notation.literal(tags.begin)} {text})?"

    def behind_thoughts(self) -> str:
        """Return content, words or calls, as the caller wants them."""
        opening = opening_of(self._forms.call_format)
        before_calls = f"{SPACE} {self._notation.literal(opening)}"
        if self._conversation.tool_choice.mode == "required":
            return f"{before_calls} {self._calls(opening)}"
        if self._conversation.constraint is None:
            return self._words_or_calls(opening)
        content = self._constrained(self._conversation.constraint)
        if not self._conversation.callable_tools:
            return content
        return f"{content} | {before_calls} {self._calls(opening)}"

    def in_channels(self) -> str:
        """Return the whole answer of a model whose thoughts, words and calls have channels."""
        channels = ChannelNotation(self._notation)
        before = f"({channels.thoughts()})?"
        if self._conversation.tool_choice.mode == "required":
            return f"{before} {self._calls()}"
        if self._conversation.constraint is None:
            before, last = channels.words(), channels.any_final()
        else:
            last = channels.final(self._constrained(self._conversation.constraint))
        if not self._conversation.callable_tools:
            return f"{before} {last}"
        return f"{before} ({last} | {self._calls()})"

    def _words_or_calls(self, opening: str) -> str:
        """Return any words without calls, or any words and then calls."""
        openings = openings_of(self._forms.call_format)
        if opening:
            words = f"/{text_without(openings)}/"
            before_calls = self._notation.text_until(opening, avoided=openings)
        else:  # calls are plain JSON, and come instead of words
            words = f"{SPACE} /{text_without(openings, not_first=_JSON_BEGINS)}/"
            before_calls = SPACE
        if not self._conversation.callable_tools:
            return words
        return f"{words} | {before_calls} {self._calls(opening)}"

    def _calls(self, opening: str = "") -> str:
        conversation = self._conversation
        tools = conversation.callable_tools
        writer = CallWriter(self.script, self._notation, self._forms.call_format.shape)
        return writer.write(tools, opening, only_one=not conversation.parallel_tool_calls)

    def _constrained(self, constraint: Constraint) -> str:
        return _content(self.script, self._notation, constraint, self._forms)


def _content(script: Script, notation: Notation, constraint: Constraint, forms: Forms) -> str:
    """Return content as the caller wants it, with what may stand before it."""
    content = write_constraint(script, notation, constraint)
    if constraint.kind in {"json_object", "json_schema"}:
        return f"{SPACE} {content}"
    return f"(/ /)? {content}" if forms.drops_first_space and not forms.tags else content
