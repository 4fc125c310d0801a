"""What a caller can ask for: the one form that both doors make, checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.runtime.errors import InvalidRequestError

MAX_INPUTS = 2048
"""Inputs of one request. Source: https://platform.openai.com/docs/api-reference/embeddings/create"""


@dataclass(frozen=True, slots=True)
class Request:
    """Texts or token sequences to embed; made by `of_texts` or `of_token_ids`."""

    model: str
    """Id or alias of the model."""
    texts: Sequence[str] = ()
    """1 to 2048 texts, none empty; empty where token ids are given."""
    token_ids: Sequence[Sequence[int]] = ()
    """1 to 2048 sequences, none empty; empty where texts are given."""
    dimensions: int | None = None
    """Length of the vectors, at least 1; None keeps the model's width."""
    prompt_name: str | None = None
    """A prompt of the model to put before each text; None takes the model's default."""
    is_single: bool = False
    """Whether the input was one bare value, so that messages say `input` and not `input[0]`."""

    def __post_init__(self) -> None:
        """Check what can be checked without the model.

        Raises:
            InvalidRequestError: A field is out of its range; `param` names it.
        """
        if not self.model:
            raise InvalidRequestError(
                "Missing required parameter: 'model'.",
                param="model",
                code="missing_required_parameter",
            )
        if self.dimensions is not None and self.dimensions < 1:
            raise InvalidRequestError(
                f"Invalid value for 'dimensions': {self.dimensions} is less than 1.",
                param="dimensions",
                code="invalid_value",
            )
        if self.prompt_name is not None and self.token_ids:
            raise InvalidRequestError(
                "'prompt_name' works with texts only: token ids are embedded as they are.",
                param="prompt_name",
                code="invalid_value",
            )
        self._check_inputs()

    @property
    def count(self) -> int:
        """How many inputs there are."""
        return len(self.texts or self.token_ids)

    @property
    def length(self) -> int:
        """Characters of all texts, or token ids."""
        return sum(map(len, self.texts or self.token_ids))

    def parts(self, size: int) -> Iterator[range]:
        """Yield the inputs in runs of about `size` characters or token ids, or of one input."""
        start, held = 0, 0
        for index, value in enumerate(self.texts or self.token_ids):
            if held and held + len(value) > size:
                yield range(start, index)
                start, held = index, 0
            held += len(value)
        yield range(start, self.count)

    def place(self, index: int) -> str:
        """Return how a message names an input."""
        return "input" if self.is_single else f"input[{index}]"

    def _check_inputs(self) -> None:
        inputs: Sequence[Sequence[object]] = self.texts or self.token_ids
        if not inputs:
            raise _invalid("'input' is empty: send at least one text.", "input")
        if len(inputs) > MAX_INPUTS:
            raise _invalid(
                f"'input' has {len(inputs)} inputs; the most in one request is {MAX_INPUTS}.",
                "input",
            )
        for index, value in enumerate(inputs):
            if not value:
                place = self.place(index)
                raise _invalid(f"'{place}' is empty: there is nothing to embed.", place)


def _invalid(message: str, param: str) -> InvalidRequestError:
    return InvalidRequestError(message, param=param, code="invalid_value")
