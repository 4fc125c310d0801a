"""Opens the decoder of a model folder, whichever form it has."""

from dataclasses import dataclass

import structlog

from services.chat.config import ChatModelSettings
from services.chat.engine.folder import Spec, read_spec
from services.chat.engine.graph import read_graph
from services.chat.engine.growing_cache import GrowingCacheRunner
from services.chat.engine.runner import Runner
from services.chat.engine.shared_cache import SharedCacheRunner
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import Provider, SessionOptions, open_session

MOST_CONTEXT_TOKENS = 8192
"""The context where the settings do not say: caches of all slots take room for it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder that is ready to run."""

    spec: Spec
    runner: Runner
    provider: Provider


def open_decoder(settings: ChatModelSettings, options: SessionOptions) -> Decoder:
    """Load the decoder of a model folder and try it.

    Raises:
        ArtifactError: The folder cannot be served; the message names the file and what is wrong.
    """
    spec = read_spec(settings.folder, settings.file)
    capacity = _capacity(settings, spec)
    graph = read_graph(spec.path, spec.names.logits)
    session = open_session(spec.path, options, graph.content)
    try:
        if graph.has_shared_cache:
            shared = SharedCacheRunner(session, spec, slots=settings.slots, capacity=capacity)
            return Decoder(spec, shared, session.provider)
        log.warning(
            "the graph has no GroupQueryAttention: it is served one sequence at a time",
            model=settings.id,
            path=str(spec.path),
        )
        growing = GrowingCacheRunner(session, spec, capacity=capacity)
        return Decoder(spec, growing, session.provider)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{spec.path}: a run with one token fails: {error}") from error


def _capacity(settings: ChatModelSettings, spec: Spec) -> int:
    """Return how many tokens a sequence may have."""
    told = settings.context_tokens
    if told is not None and told > spec.context_tokens:
        raise ArtifactError(
            f"{settings.folder}: the model's context is {spec.context_tokens} tokens, but"
            f" context_tokens is {told}"
        )
    return told or min(spec.context_tokens, MOST_CONTEXT_TOKENS)
