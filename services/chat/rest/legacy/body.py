"""The body of `POST /v1/completions`, and the prompts in it."""

from typing import Annotated

import msgspec

from services.chat.engine.conversation import Continuation
from services.chat.rest.formats import read_constraint
from services.chat.rest.generation import GenerationBody, read_wishes
from services.chat.rest.mistakes import invalid, missing, unsupported

DEFAULT_MAX_TOKENS = 16
MAX_LOGPROBS = 5
MAX_BEST_OF = 20

Prompt = str | tuple[int, ...]


class CompletionBody(GenerationBody, kw_only=True):
    """The fields that are read.

    Source: https://platform.openai.com/docs/api-reference/completions/create
    """

    prompt: str | list[str | int | list[int]] | None = None
    """A text, texts, token ids, or lists of token ids."""
    max_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=MAX_LOGPROBS)] | None = None
    """Log probabilities of each token and of so many likeliest ones."""
    echo: bool | None = None
    best_of: Annotated[int, msgspec.Meta(ge=1, le=MAX_BEST_OF)] | None = None
    suffix: str | None = None


def read_continuation(body: CompletionBody) -> Continuation:
    """Return what the model is asked.

    Raises:
        InvalidRequestError: A field is wrong; `param` is its path.
    """
    if body.suffix:
        raise unsupported("suffix", "models of this server do not fill in what is before a text.")
    wishes = read_wishes(body, max_tokens=_max_tokens(body), top_logprobs=body.logprobs)
    return Continuation(
        prompts=_prompts(body),
        wishes=wishes,
        best_of=_best_of(body, wishes.choices),
        constraint=read_constraint(body),
        echo=bool(body.echo),
    )


def _prompts(body: CompletionBody) -> tuple[Prompt, ...]:
    """Return the prompts, in whichever of four forms they came."""
    prompt = body.prompt
    if prompt is None:
        raise missing("prompt")
    if isinstance(prompt, str):
        prompt = [prompt]
    ids = tuple(item for item in prompt if isinstance(item, int))
    others = [item for item in prompt if not isinstance(item, int)]
    if ids and others:
        raise invalid("prompt", "token ids stand among texts or lists; give one kind.")
    texts_or_lists = (item if isinstance(item, str) else tuple(item) for item in others)
    prompts = (ids,) if ids else tuple(texts_or_lists)
    if not prompts or not all(prompts):
        raise invalid("prompt", "expected at least one prompt, and none that is empty.")
    return prompts


def _max_tokens(body: CompletionBody) -> int:
    wanted = DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens
    if not wanted and not body.echo:
        raise invalid("max_tokens", "expected an integer >= 1; 0 is only allowed with 'echo'.")
    return wanted


def _best_of(body: CompletionBody, choices: int) -> int | None:
    best_of = body.best_of
    if best_of is None or best_of == choices:
        return None
    if best_of < choices:
        raise invalid("best_of", f"{best_of} is less than the {choices} of 'n'.")
    if body.stream:
        raise invalid("best_of", "the best answers are known at the end: they cannot be streamed.")
    return best_of
