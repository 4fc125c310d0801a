"""From a model folder to a model that answers."""

from pathlib import Path

import structlog
import tokenizers

from services.chat.config import ChatModelSettings, ChatSettings
from services.chat.engine.decoder import Decoder, needed_bytes, open_decoder
from services.chat.engine.grammars import Grammars
from services.chat.engine.loop import Engine, Limits
from services.chat.models.model import ChatModel, Parts
from services.chat.models.prompting import Prompting, read_prompting, read_tokenizer
from services.chat.models.thread import EngineThread
from services.runtime.artifacts import read_optional_json, written_at
from services.runtime.onnx import SessionOptions
from services.runtime.registry import Description

CPU_CHUNK_TOKENS = 128
CUDA_CHUNK_TOKENS = 1024

log = structlog.get_logger()


def load_model(settings: ChatModelSettings, service: ChatSettings) -> ChatModel:
    """Load a model folder and try it.

    Raises:
        ArtifactError: The folder cannot be served; the message names the file and what is wrong.
    """
    tokenizer = read_tokenizer(settings.folder)
    prompting = read_prompting(settings, tokenizer)
    options = SessionOptions(settings.provider, service.threads, service.gpu_memory_bytes)
    decoder = open_decoder(settings, options)
    limits = _limits(settings, service, decoder, tokenizer)
    grammars = _grammars(prompting, tokenizer, limits)
    thread = EngineThread(
        Engine(decoder.runner, prompting.pieces, limits, decoder.sampler),
        name=settings.id,
        slots=decoder.runner.slots,
        waiting_requests=service.waiting_requests,
    )
    parts = Parts(
        description=Description(
            provider=decoder.provider,
            created=written_at(settings.folder),
            context_length=limits.context_tokens,
            memory_bytes=needed_bytes(settings),
        ),
        prompting=prompting,
        grammars=grammars,
        advised=decoder.spec.sampling,
        thread=thread,
        guides_calls=settings.guided_calls,
    )
    return ChatModel(settings.id, parts)


def _limits(
    settings: ChatModelSettings,
    service: ChatSettings,
    decoder: Decoder,
    tokenizer: tokenizers.Tokenizer,
) -> Limits:
    eos = decoder.spec.eos | _configured_end(settings.folder, tokenizer)
    if not eos:
        log.warning(
            "no token ends an answer: all go on to the end of their room", model=settings.id
        )
    usual = CPU_CHUNK_TOKENS if decoder.provider == "cpu" else CUDA_CHUNK_TOKENS
    return Limits(
        context_tokens=decoder.runner.capacity_tokens,
        vocabulary=decoder.runner.vocabulary,
        eos=eos,
        chunk_tokens=service.chunk_tokens or usual,
    )


def _configured_end(folder: Path, tokenizer: tokenizers.Tokenizer) -> frozenset[int]:
    """Return the `eos_token` of `tokenizer_config.json`: that of a chat template's turns."""
    told = read_optional_json(folder / "tokenizer_config.json").get("eos_token")
    text = told.get("content") if isinstance(told, dict) else told
    token = tokenizer.token_to_id(text) if isinstance(text, str) else None
    return frozenset() if token is None else frozenset({token})


def _grammars(prompting: Prompting, tokenizer: tokenizers.Tokenizer, limits: Limits) -> Grammars:
    return Grammars(
        tokenizer,
        vocabulary=limits.vocabulary,
        eos=limits.eos,
        call_format=prompting.call_format,
        tags=prompting.tags,
    )
