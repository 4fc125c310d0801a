"""Between conversations and tokens: writes the prompt, and knows how the answer is to be read."""

from dataclasses import dataclass
from pathlib import Path

import structlog
import tokenizers

from services.chat.config import ChatModelSettings
from services.chat.engine.conversation import Conversation
from services.chat.engine.events import Parser
from services.chat.engine.reasoning import (
    AnswerParser,
    ReasoningParser,
    ReasoningTags,
    detect_tags,
)
from services.chat.engine.templates.prompts import Prompts, try_read_prompts
from services.chat.engine.text.pieces import Pieces
from services.chat.engine.tool_calls.formats import FORMATS, CallFormat, detect_format
from services.chat.models.writing import PlainParser
from services.runtime.artifacts import ArtifactError
from services.runtime.errors import ContextLengthError, InvalidRequestError, shown

log = structlog.get_logger()

TOKENIZER = "tokenizer.json"

FALLBACK = FORMATS["hermes"]
"""How a model is made to call tools whose template says nothing of them."""

MAX_CHARACTERS_PER_TOKEN = 128
"""A prompt of more characters for each token of the context is too long without counting."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation as the model reads it."""

    tokens: tuple[int, ...]
    thinks: bool
    """Whether it ends inside the tags of reasoning."""


class Prompting:
    """Writes the prompts of one model, and makes the parsers of its answers."""

    def __init__(
        self,
        prompts: Prompts | None,
        tokenizer: tokenizers.Tokenizer,
        *,
        tags: ReasoningTags | None,
        call_format: CallFormat | None,
    ) -> None:
        """Take a model's templates and its tokenizer.

        Args:
            prompts: The templates; None where it has none.
            tokenizer: Its special tokens are written by the templates, never added.
            tags: The marks around its reasoning; None where it does not reason.
            call_format: How it calls tools; None where its template does not say.
        """
        self._prompts = prompts
        self._tokenizer = tokenizer
        self.tags = tags
        self.call_format = call_format or FALLBACK
        self._tells_reasoning = self.call_format.tells_reasoning
        shown = {*self.call_format.marks} | ({tags.begin, tags.end} if tags else set())
        self.pieces = Pieces(tokenizer, shown=shown)

    def write(self, conversation: Conversation, context_tokens: int) -> Prompt:
        """Return the prompt of a conversation.

        Args:
            conversation: What is asked.
            context_tokens: The longest prompt that is of any use.

        Raises:
            ContextLengthError: It is far too long.
            InvalidRequestError: There is no template, or it cannot write these messages.
        """
        if self._prompts is None:
            raise InvalidRequestError(
                "The model has no chat template. Ask it by POST /v1/completions.", param="model"
            )
        text = self._prompts.write(
            conversation.messages,
            tools=[tool.definition for tool in conversation.offered],
            documents=conversation.documents,
            variables=conversation.variables,
        )
        _check_length(text, context_tokens, "messages")
        tokens = self._tokens(text, with_special=False)
        return Prompt(tokens, self.tags is not None and self.tags.are_open_at(text))

    def encode(self, text: str, context_tokens: int) -> tuple[int, ...]:
        """Return the tokens of a text that is no conversation, with the special ones around it.

        Args:
            text: A prompt of `/v1/completions`.
            context_tokens: As in `write`.

        Raises:
            ContextLengthError: It is far too long.
        """
        _check_length(text, context_tokens, "prompt")
        return self._tokens(text, with_special=True)

    def _tokens(self, text: str, *, with_special: bool) -> tuple[int, ...]:
        """Return the tokens of a text; `encode` would keep all other threads waiting meanwhile."""
        (encoded,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=with_special)
        return tuple(encoded.ids)

    def new_parser(self, conversation: Conversation, *, thinks: bool) -> Parser:
        """Return what reads one answer.

        Args:
            conversation: What is answered.
            thinks: Whether the prompt ends inside the tags of reasoning.
        """
        content: Parser = PlainParser()
        if conversation.offered or self._tells_reasoning:
            tools = {tool.name: tool.parameters or {} for tool in conversation.callable_tools}
            content = self.call_format.new_parser(tools)
        if self.tags is None or self._tells_reasoning:
            return content
        return AnswerParser(ReasoningParser(self.tags, is_open=thinks), content)


def _check_length(text: str, context_tokens: int, param: str) -> None:
    """Refuse a text that has too many tokens, however long each of them is."""
    if len(text) > MAX_CHARACTERS_PER_TOKEN * context_tokens:
        raise ContextLengthError(
            f"The prompt has {len(text)} characters; prompt and answer together have room for"
            f" {context_tokens} tokens. Shorten '{param}'.",
            param=param,
        )


def read_prompting(settings: ChatModelSettings, tokenizer: tokenizers.Tokenizer) -> Prompting:
    """Return what writes the prompts of the model in a folder.

    Raises:
        ArtifactError: The folder's chat template or its tokenizer cannot be used.
    """
    prompts = try_read_prompts(settings.folder)
    if prompts is None:
        log.warning("no chat template: the model only goes on with texts", model=settings.id)
    tags = _tags(prompts) if settings.reasoning else None
    call_format = _call_format(settings, prompts)
    try:
        return Prompting(prompts, tokenizer, tags=tags, call_format=call_format)
    except ArtifactError as error:
        raise ArtifactError(f"{settings.folder / TOKENIZER}: {error}") from None


def _tags(prompts: Prompts | None) -> ReasoningTags | None:
    return detect_tags(prompts.template(with_tools=False).source) if prompts else None


def _call_format(settings: ChatModelSettings, prompts: Prompts | None) -> CallFormat | None:
    if settings.tool_format is None:
        return detect_format(prompts.template(with_tools=True).source) if prompts else None
    if settings.tool_format not in FORMATS:
        raise ArtifactError(
            f"tool_format {shown(settings.tool_format)} is not known; it"
            f" should be one of {', '.join(sorted(FORMATS))}"
        )
    return FORMATS[settings.tool_format]


def read_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    """Return the tokenizer of a model folder.

    Raises:
        ArtifactError: There is none, or it cannot be read.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise ArtifactError(f"{path}: there is no such file")
    try:
        tokenizer: tokenizers.Tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ArtifactError(f"{path}: cannot be read as a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
