"""Texts to token ids, with the model's own tokenizer and prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from services.embeddings.engine.request import Request
from services.runtime.artifacts import ArtifactError
from services.runtime.errors import ContextLengthError, InvalidRequestError, shown

TokenIds = Sequence[int]


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
    ) -> None:
        """Take a tokenizer.

        Args:
            tokenizer: The model's; it is told neither to cut nor to pad.
            max_tokens: The longest input, special tokens included.
            prompts: The model's prompts.
            lowercase: Whether texts are lowered before the tokenizer sees them.
        """
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._prompts = prompts
        self._lowercase = lowercase
        self._vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)

    def ids_of(self, request: Request) -> Sequence[TokenIds]:
        """Return the ids of each input, special tokens included where the input is text.

        Raises:
            ContextLengthError: An input is too long; the message names it and the limit.
            InvalidRequestError: An id is outside the vocabulary, or there is no such prompt.
        """
        ids: Sequence[TokenIds] = request.token_ids
        if request.texts:
            ids = self._encode(request.texts, self._prompt(request.prompt_name))
        for index, sequence in enumerate(ids):
            place = request.place(index)
            if not sequence:  # a tokenizer without special tokens finds nothing in white space
                raise InvalidRequestError(
                    f"'{place}' has no tokens: there is nothing to embed.",
                    param=place,
                    code="invalid_value",
                )
            if len(sequence) > self._max_tokens:
                raise ContextLengthError(
                    f"This model's maximum context length is {self._max_tokens} tokens,"
                    f" but '{place}' has {len(sequence)} tokens. Please shorten it.",
                    param=place,
                )
        self._check_vocabulary(request)
        return ids

    def _encode(self, texts: Sequence[str], prompt: str) -> list[TokenIds]:
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

    def _check_vocabulary(self, request: Request) -> None:
        for index, sequence in enumerate(request.token_ids):
            if min(sequence) < 0 or max(sequence) >= self._vocabulary:
                position, wrong = next(
                    (position, token)
                    for position, token in enumerate(sequence)
                    if not 0 <= token < self._vocabulary
                )
                place = f"{request.place(index)}[{position}]"
                raise InvalidRequestError(
                    f"Invalid value for '{place}': {wrong} is no token id of the model"
                    f" (0 to {self._vocabulary - 1}). Were the ids made by another tokenizer?",
                    param=place,
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
