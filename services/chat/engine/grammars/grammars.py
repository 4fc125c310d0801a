"""The grammars of one model: from what a caller wants to what restrains each choice."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import tokenizers

from services.chat.engine.conversation import Constraint, Continuation, Conversation, Tool
from services.chat.engine.grammars.answers import (
    Forms,
    answer_script,
    content_script,
    is_restrained,
)
from services.chat.engine.grammars.compiler import Compiler, NewGrammar
from services.chat.engine.grammars.guiding import closed, opened
from services.chat.engine.grammars.notation import Notation
from services.chat.engine.grammars.vocabulary import Vocabulary
from services.chat.engine.reasoning import ReasoningTags
from services.chat.engine.tool_calls.formats import CallFormat
from services.runtime.errors import InvalidRequestError


class Grammars:
    """Compiles what callers want of one model's answers; may be used from several threads."""

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        *,
        vocabulary: int,
        eos: frozenset[int],
        call_format: CallFormat,
        tags: ReasoningTags | None = None,
    ) -> None:
        """Read a model's tokens, in about a second for 150,000.

        Args:
            tokenizer: The model's.
            vocabulary: How many token ids the model has; may be more than the tokenizer has.
            eos: Tokens that end an answer; where there are none, no answer can be restrained.
            call_format: How the model calls tools, for grammar and parser alike.
            tags: The marks around its reasoning; None where it does not reason, or in channels.
        """
        marks = {*filter(None, call_format.marks)} | ({tags.begin, tags.end} if tags else set())
        eos = frozenset(token for token in eos if token < vocabulary)
        self._compiler: Compiler | None = None
        if not eos:
            return
        tokens = Vocabulary(tokenizer, size=vocabulary, eos=eos, marks=marks)
        self._compiler = Compiler(tokens)
        self._notation = Notation(tokens.marks)
        self._forms = Forms(call_format, tags, tokens.drops_first_space)

    def of_conversation(
        self, conversation: Conversation, *, thinks: bool = False, guides_calls: bool = False
    ) -> NewGrammar | None:
        """Return what makes the grammar of each answer; None where answers are free.

        Args:
            conversation: What is answered.
            thinks: Whether the prompt ends inside the tags of reasoning.
            guides_calls: Whether calls keep to their tools where nobody asks for that: to their
                names, to the keys that are named, and to schemas as far as these can be enforced.

        Raises:
            InvalidRequestError: What the caller wants cannot be enforced; `param` names the field.
        """
        if guides_calls:
            conversation = replace(conversation, tools=tuple(map(closed, conversation.tools)))
        if is_restrained(conversation):
            return self._compiled(conversation, thinks=thinks)
        if guides_calls and conversation.callable_tools:
            return self._guided(conversation, thinks=thinks)
        return None

    def _compiled(
        self, conversation: Conversation, *, thinks: bool, keeps: bool = True
    ) -> NewGrammar:
        param = _param(conversation.constraint)
        compiler = self._checked(param)
        with _not_too_deep(param):
            script = answer_script(self._notation, self._forms, conversation, thinks=thinks)
            return compiler.compile(script, param, keeps=keeps)

    def _guided(self, conversation: Conversation, *, thinks: bool) -> NewGrammar | None:
        """Hold calls to as much as a grammar can say; nobody asked for it, so that none fails."""
        for tools in self._less_and_less(conversation):
            with suppress(InvalidRequestError):
                return self._compiled(replace(conversation, tools=tools), thinks=thinks)
        return None

    def _less_and_less(self, conversation: Conversation) -> Iterator[tuple[Tool, ...]]:
        """Yield the tools; without the schemas that cannot be enforced; and without any."""
        tools = conversation.tools
        yield tools
        yield tuple(
            tool if self._can_enforce(tool, conversation) else opened(tool) for tool in tools
        )
        yield tuple(map(opened, tools))

    def _can_enforce(self, tool: Tool, conversation: Conversation) -> bool:
        try:
            alone = replace(conversation, tools=(tool,))
            self._compiled(alone, thinks=False, keeps=False)
        except InvalidRequestError:
            return False
        return True

    def of_continuation(self, continuation: Continuation) -> NewGrammar | None:
        """Return what makes the grammar of each continuation; None where they are free.

        Raises:
            InvalidRequestError: As `of_conversation`.
        """
        if continuation.constraint is None:
            return None
        param = _param(continuation.constraint)
        compiler = self._checked(param)
        with _not_too_deep(param):
            script = content_script(self._notation, self._forms, continuation.constraint)
            return compiler.compile(script, param)

    def _checked(self, param: str) -> Compiler:
        if self._compiler is None:
            raise InvalidRequestError(
                f"Invalid value for '{param}': no token of this model ends an answer, so that none"
                " can be held to a form.",
                param=param,
            )
        return self._compiler


@contextmanager
def _not_too_deep(param: str) -> Iterator[None]:
    """Refuse what is nested more deeply than Python follows."""
    try:
        yield
    except RecursionError:
        raise InvalidRequestError(
            f"Invalid value for '{param}': it is nested too deeply.",
            param=param,
            code="invalid_value",
        ) from None


def _param(constraint: Constraint | None) -> str:
    return "tools" if constraint is None else constraint.param
