"""Opens the decoder of a model folder, whichever form it has."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import structlog
from onnx.helper import tensor_dtype_to_np_dtype

from services.chat.config import ChatModelSettings
from services.chat.engine.cache import cache_type
from services.chat.engine.device_sampling.sampler import DeviceSampler
from services.chat.engine.folder import Spec, read_spec
from services.chat.engine.graph import load_graph, prepare_graph
from services.chat.engine.growing_cache import GrowingCacheRunner
from services.chat.engine.long_rope import short_tokens
from services.chat.engine.runner import Runner
from services.chat.engine.sampler import HostSampler, Sampler
from services.chat.engine.shared_cache import SharedCacheRunner
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import (
    BindingSession,
    Provider,
    SessionOptions,
    open_graph,
    open_session,
)
from services.runtime.weights import weights_bytes

MOST_CONTEXT_TOKENS = 8192
"""The context where the settings do not say: caches of all slots take room for it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder that is ready to run."""

    spec: Spec
    runner: Runner
    sampler: Sampler
    """Chooses tokens by the runner's logits."""
    provider: Provider


def open_decoder(
    settings: ChatModelSettings, options: SessionOptions, *, keeps_logits: bool | None = None
) -> Decoder:
    """Load the decoder of a model folder and try it.

    Args:
        settings: Which folder, and how it is served.
        options: How its graph is run.
        keeps_logits: Whether tokens are chosen where the decoder runs; None: they are on CUDA.

    Raises:
        ArtifactError: The folder cannot be served; the message names the file and what is wrong.
    """
    spec = read_spec(settings.folder, settings.file)
    model = load_graph(spec.path)
    capacity = _capacity(settings, spec, short_tokens(model))
    graph = prepare_graph(model, spec.names.logits, capacity=capacity)
    recording = settings.cuda_graphs and graph.has_shared_cache
    session = open_session(spec.path, replace(options, cuda_graphs=recording), graph.content)
    try:
        if graph.has_shared_cache:
            _warn_of_slow_caches(settings, session, spec)
            keeps = session.provider != "cpu" if keeps_logits is None else keeps_logits
            shared = SharedCacheRunner(
                session, spec, slots=settings.slots, capacity=capacity, keeps_logits=keeps
            )
            return Decoder(spec, shared, _sampler(shared, session, options), session.provider)
        log.warning(
            "the graph has no GroupQueryAttention: it is served one sequence at a time",
            model=settings.id,
            path=str(spec.path),
        )
        growing = GrowingCacheRunner(session, spec, capacity=capacity)
        return Decoder(spec, growing, HostSampler(), session.provider)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{spec.path}: a run with one token fails: {error}") from error


def _warn_of_slow_caches(settings: ChatModelSettings, session: BindingSession, spec: Spec) -> None:
    """Say so where attention would leave the device: CUDA's has no kernel for fp32.

    Source: https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md
    """
    if session.provider == "cuda" and cache_type(session, spec) == np.float32:
        log.warning(
            "attention with fp32 caches runs on the CPU: export the model with fp16 for CUDA",
            model=settings.id,
            path=str(spec.path),
        )


def _sampler(
    runner: SharedCacheRunner, session: BindingSession, options: SessionOptions
) -> Sampler:
    """Return what chooses tokens where the runner's logits are."""
    if runner.kept_logits is None:
        return HostSampler()
    opened = partial(open_graph, provider=session.provider, options=options)
    return DeviceSampler(runner.kept_logits, opened)


def needed_bytes(settings: ChatModelSettings) -> int:
    """Return what a model is going to hold: its weights, and the keys and values of all slots.

    Raises:
        ArtifactError: As `open_decoder`.
    """
    spec = read_spec(settings.folder, settings.file)
    model = load_graph(spec.path)
    past, _ = spec.caches()[0]
    kind = next((each.type for each in model.graph.input if each.name == past), None)
    width = 4 if kind is None else tensor_dtype_to_np_dtype(kind.tensor_type.elem_type).itemsize
    tokens = settings.slots * _capacity(settings, spec, short_tokens(model))
    sides = len(spec.caches())
    return weights_bytes(spec.path) + sides * tokens * spec.kv_heads * spec.head * width


def _capacity(settings: ChatModelSettings, spec: Spec, short: int | None) -> int:
    """Return how many tokens a sequence may have.

    Args:
        settings: May ask for any number that the model allows.
        spec: The model.
        short: Up to where it turns keys as it does in short texts; more has to be asked for, as
            all texts are turned as long ones then.
    """
    told, most = settings.context_tokens, spec.context_tokens
    if told is not None and told > most:
        raise ArtifactError(
            f"{settings.folder}: the model's context is {most} tokens, but context_tokens is {told}"
        )
    return told or min(most, short or most, MOST_CONTEXT_TOKENS)
