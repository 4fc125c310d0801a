"""Texts to token ids, with the model's own tokenizer and prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from services.embeddings.engine.request import Request
from services.runtime.artifacts import ArtifactError
from services.runtime.errors import ContextLengthError, InvalidRequestError, shown

TokenIds = Sequence[int]

MAX_CHARACTERS_PER_TOKEN = 128
"""A text of more characters for each token that the model reads is too long without counting."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Texts that a model wants before its inputs."""

    by_name: Mapping[str, str]
    default_name: str | None = None


class Tokens:
    """Turns the inputs of requests into ids that the encoder takes."""

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        *,
        max_tokens: int,
        prompts: Prompts,
        lowercase: bool = False,
        vocabulary: int | None = None,
    ) -> None:
        """Take a tokenizer.

        Args:
            tokenizer: The model's; it is told neither to cut nor to pad.
            max_tokens: The longest input, special tokens included.
            prompts: The model's prompts.
            lowercase: Whether texts are lowered before the tokenizer sees them.
            vocabulary: How many ids the graph knows; None where only the tokenizer says.
        """
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._prompts = prompts
        self._lowercase = lowercase
        known = tokenizer.get_vocab_size(with_added_tokens=True)
        self._vocabulary = min(known, vocabulary or known)

    def ids_of(self, request: Request, part: range | None = None) -> Sequence[TokenIds]:
        """Return the ids of each input, special tokens included where the input is text.

        Args:
            request: What was asked.
            part: Which of its inputs; None takes all.

        Raises:
            ContextLengthError: An input is too long; the message names it and the limit.
            InvalidRequestError: An id is outside the vocabulary, or there is no such prompt.
        """
        part = part or range(request.count)
        if request.texts:
            ids: Sequence[TokenIds] = self._encode(request, part)
        else:
            ids = request.token_ids[part.start : part.stop]
        for index, sequence in zip(part, ids, strict=True):
            place = request.place(index)
            if not sequence:  # a tokenizer without special tokens finds nothing in white space
                raise InvalidRequestError(
                    f"'{place}' has no tokens: there is nothing to embed.",
                    param=place,
                    code="invalid_value",
                )
            if len(sequence) > self._max_tokens:
                raise self._too_long(place, f"{len(sequence)} tokens")
            if request.token_ids:
                self._check_vocabulary(sequence, place)
        return ids

    def _encode(self, request: Request, part: range) -> list[TokenIds]:
        prompt = self._prompt(request.prompt_name)
        texts = request.texts[part.start : part.stop]
        most = MAX_CHARACTERS_PER_TOKEN * self._max_tokens
        for index, text in zip(part, texts, strict=True):
            if len(text) > most:
                raise self._too_long(request.place(index), f"{len(text)} characters")
        if prompt:
            texts = [prompt + text for text in texts]
        if self._lowercase:
            texts = [text.lower() for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def _prompt(self, name: str | None) -> str:
        name = name or self._prompts.default_name
        if name is None:
            return ""
        if name not in self._prompts.by_name:
            known = ", ".join(f"'{known}'" for known in self._prompts.by_name) or "none"
            raise InvalidRequestError(
                f"Invalid value for 'prompt_name': {shown(name)}. Prompts of the model: {known}.",
                param="prompt_name",
                code="invalid_value",
            )
        return self._prompts.by_name[name]

    def _too_long(self, place: str, length: str) -> ContextLengthError:
        return ContextLengthError(
            f"This model's maximum context length is {self._max_tokens} tokens,"
            f" but '{place}' has {length}. Please shorten it.",
            param=place,
        )

    def _check_vocabulary(self, sequence: TokenIds, place: str) -> None:
        if min(sequence) >= 0 and max(sequence) < self._vocabulary:
            return
        position, wrong = next(
            (position, token)
            for position, token in enumerate(sequence)
            if not 0 <= token < self._vocabulary
        )
        raise InvalidRequestError(
            f"Invalid value for '{place}[{position}]': {wrong} is no token id of the model"
            f" (0 to {self._vocabulary - 1}). Were the ids made by another tokenizer?",
            param=f"{place}[{position}]",
            code="invalid_value",
        )


def read_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Return the tokenizer in a `tokenizer.json`.

    Raises:
        ArtifactError: The file is missing or no tokenizer.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: there is no such file")
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ArtifactError(f"{path}: cannot be read as a tokenizer: {error}") from error
