"""What a folder in the layout of sentence-transformers says of its model.

Source: https://sbert.net/docs/sentence_transformer/usage/custom_models.html
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.embeddings.config import EmbeddingsModelSettings
from services.embeddings.engine.pooling import MODES, Mode
from services.embeddings.engine.tokens import Prompts
from services.runtime.artifacts import (
    ArtifactError,
    Kind,
    detect_kind,
    get_int,
    read_json,
    read_json_list,
    read_optional_json,
)

_SHORT_NAMES: dict[str, Mode] = {"mean": "mean", "cls": "cls", "max": "max", "last": "lasttoken"}

_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"}
"""Model types whose positions start behind the padding id, so that two of them are never used."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What is needed to serve the model, beside graph and tokenizer."""

    pooling: tuple[Mode, ...]
    normalize: bool
    max_tokens: int
    """The longest input, special tokens included."""
    prompts: Prompts
    lowercase: bool
    padding_id: int
    vocabulary: int | None
    """How many token ids the graph knows; None where the folder does not say."""


def read_spec(settings: EmbeddingsModelSettings) -> Spec:
    """Return what the folder says, with the settings on top.

    Raises:
        ArtifactError: A file is missing or says something that cannot be served; it is named.
    """
    folder = settings.folder
    kind = detect_kind(folder)
    if kind is Kind.GENAI:
        raise ArtifactError(f"{folder}: holds {kind.value}; list it under [chat]")
    config = read_json(folder / "config.json")
    modules = _read_modules(folder) if kind is Kind.SENTENCE_TRANSFORMERS else {}
    texts = read_optional_json(folder / "sentence_bert_config.json")
    return Spec(
        pooling=_pooling(settings, modules.get("Pooling")),
        normalize="Normalize" in modules if settings.normalize is None else settings.normalize,
        max_tokens=_max_tokens(settings, config, texts),
        prompts=_prompts(folder / "config_sentence_transformers.json"),
        lowercase=bool(texts.get("do_lower_case")),
        padding_id=get_int(config, "pad_token_id", folder / "config.json") or 0,
        vocabulary=get_int(config, "vocab_size", folder / "config.json"),
    )


def _read_modules(folder: Path) -> dict[str, Path]:
    """Return the folder of each module by its class name."""
    path = folder / "modules.json"
    modules = {}
    for module in read_json_list(path):
        if not isinstance(module, dict) or not isinstance(module.get("type"), str):
            raise ArtifactError(f"{path}: each module should be an object with a 'type'")
        name = module["type"].rpartition(".")[2]
        if name not in {"Transformer", "Pooling", "Normalize"}:
            raise ArtifactError(
                f"{path}: the module '{name}' cannot be served;"
                " Transformer, Pooling and Normalize can"
            )
        modules[name] = folder / str(module.get("path", ""))
    return modules


def _pooling(settings: EmbeddingsModelSettings, module: Path | None) -> tuple[Mode, ...]:
    if settings.pooling is not None:
        return (_SHORT_NAMES[settings.pooling],)
    if module is None:
        raise ArtifactError(
            f"{settings.folder}: nothing says how to pool (no Pooling module in modules.json);"
            " set 'pooling' for this model to mean, cls, max or last"
        )
    path = module / "config.json"
    config = read_json(path)
    if config.get("include_prompt") is False:
        raise ArtifactError(f"{path}: include_prompt = false cannot be served")
    return _modes(config, path)


def _modes(config: dict[str, Any], path: Path) -> tuple[Mode, ...]:
    """Return the modes, from one name (new folders) or a flag each (older ones)."""
    named = config.get("pooling_mode")
    chosen = (
        set(named if isinstance(named, list) else [named])
        if named is not None
        else {
            name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
            for name, value in config.items()
            if name.startswith("pooling_mode_") and value is True
        }
    )
    chosen = {"mean_sqrt_len_tokens" if name == "mean_sqrt_len" else name for name in chosen}
    unknown = chosen - set(MODES)
    if unknown or not chosen:
        raise ArtifactError(
            f"{path}: pooling {sorted(map(str, unknown)) or 'is not set'};"
            f" can be {', '.join(MODES)}"
        )
    return tuple(mode for mode in MODES if mode in chosen)


def _max_tokens(
    settings: EmbeddingsModelSettings, config: dict[str, Any], texts: dict[str, Any]
) -> int:
    path = settings.folder / "config.json"
    positions = get_int(config, "max_position_embeddings", path)
    if positions is not None and config.get("model_type") in _OFFSET_POSITIONS:
        positions -= 2
    if settings.max_tokens is not None:
        if positions is not None and settings.max_tokens > positions:
            raise ArtifactError(
                f"{path}: the model has {positions} positions, but max_tokens is"
                f" {settings.max_tokens}"
            )
        return settings.max_tokens
    told = get_int(texts, "max_seq_length", settings.folder / "sentence_bert_config.json")
    limits = [limit for limit in (told, positions) if limit is not None]
    if not limits:
        raise ArtifactError(
            f"{path}: nothing says how long an input may be; set 'max_tokens' for this model"
        )
    return min(limits)


def _prompts(path: Path) -> Prompts:
    config = read_optional_json(path)
    prompts = config.get("prompts") or {}
    default = config.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(v, str) for v in prompts.values()):
        raise ArtifactError(f"{path}: 'prompts' should map names to texts")
    if default is not None and default not in prompts:
        raise ArtifactError(f"{path}: default_prompt_name '{default}' is not among the prompts")
    return Prompts(prompts, default)
