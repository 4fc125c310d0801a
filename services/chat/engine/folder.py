"""What a model folder says of its decoder, in either of the two layouts that tools write.

Source: https://onnxruntime.ai/docs/genai/reference/config.html (genai_config.json);
https://huggingface.co/docs/transformers/main_classes/configuration (config.json),
https://huggingface.co/docs/optimum/exporters/onnx/overview (names of inputs and outputs).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.chat.engine.request import Sampling
from services.runtime.artifacts import (
    ArtifactError,
    Kind,
    detect_kind,
    get_int,
    read_json,
    read_optional_json,
)
from services.runtime.errors import InvalidRequestError

_GENAI = "genai_config.json"
_CONFIG = "config.json"
_GENERATION = "generation_config.json"


@dataclass(frozen=True, slots=True)
class Names:
    """How the graph calls its inputs and outputs; `%d` stands for the layer."""

    input_ids: str = "input_ids"
    attention_mask: str = "attention_mask"
    position_ids: str = "position_ids"
    logits: str = "logits"
    past_key: str = "past_key_values.%d.key"
    past_value: str = "past_key_values.%d.value"
    present_key: str = "present.%d.key"
    present_value: str = "present.%d.value"


@dataclass(frozen=True, slots=True)
class Spec:
    """What is needed to run the decoder, beside the graph itself."""

    path: Path
    """The graph."""
    layers: int
    kv_heads: int
    head: int
    """Width of one head."""
    context_tokens: int
    """The longest prompt and answer together."""
    vocabulary: int | None
    """How many token ids there are; None where the folder does not say."""
    eos: frozenset[int]
    """Tokens that end an answer."""
    sampling: Sampling
    """How its makers would have it sampled, for callers who do not say."""
    names: Names = field(default=Names())

    def caches(self) -> list[tuple[str, str]]:
        """Return the input and the output of every cache: a key and a value a layer."""
        names = self.names
        return [
            (past % layer, present % layer)
            for layer in range(self.layers)
            for past, present in (
                (names.past_key, names.present_key),
                (names.past_value, names.present_value),
            )
        ]


def read_spec(folder: Path, file: str | None = None) -> Spec:
    """Return what the folder says.

    Args:
        folder: The model folder.
        file: The graph in it; None takes the one that is there.

    Raises:
        ArtifactError: A file is missing or says something that cannot be served; it is named.
    """
    kind = detect_kind(folder)
    if kind is Kind.SENTENCE_TRANSFORMERS:
        raise ArtifactError(f"{folder}: holds {kind.value}; list it under [embeddings]")
    return _read_genai(folder, file) if kind is Kind.GENAI else _read_transformers(folder, file)


def _read_genai(folder: Path, file: str | None) -> Spec:
    path = folder / _GENAI
    model = _table(read_json(path), "model", path)
    decoder = _table(model, "decoder", path)
    told = _table(decoder, "inputs", path) | _table(decoder, "outputs", path)
    names = {
        ours: told[theirs]
        for theirs, ours in _GENAI_NAMES.items()
        if isinstance(told.get(theirs), str)
    }
    return Spec(
        path=folder / (file or str(decoder.get("filename", "model.onnx"))),
        layers=_needed(decoder, "num_hidden_layers", path),
        kv_heads=_needed(decoder, "num_key_value_heads", path),
        head=_needed(decoder, "head_size", path),
        context_tokens=_needed(model, "context_length", path),
        vocabulary=get_int(model, "vocab_size", path),
        eos=_eos(folder, model.get("eos_token_id"), path),
        sampling=_sampling(folder),
        names=Names(**names),
    )


_GENAI_NAMES = {
    "input_ids": "input_ids",
    "attention_mask": "attention_mask",
    "position_ids": "position_ids",
    "logits": "logits",
    "past_key_names": "past_key",
    "past_value_names": "past_value",
    "present_key_names": "present_key",
    "present_value_names": "present_value",
}


def _read_transformers(folder: Path, file: str | None) -> Spec:
    path = folder / _CONFIG
    config = read_json(path)
    # Models that also see or hear keep their decoder's part in a table of its own.
    text = config | config["text_config"] if isinstance(config.get("text_config"), dict) else config
    heads = _needed(text, "num_attention_heads", path)
    return Spec(
        path=folder / (file or _only_graph(folder)),
        layers=_needed(text, "num_hidden_layers", path),
        kv_heads=get_int(text, "num_key_value_heads", path) or heads,
        head=get_int(text, "head_dim", path) or _needed(text, "hidden_size", path) // heads,
        context_tokens=_needed(text, "max_position_embeddings", path),
        vocabulary=get_int(text, "vocab_size", path),
        eos=_eos(folder, text.get("eos_token_id"), path),
        sampling=_sampling(folder),
    )


def _only_graph(folder: Path) -> str:
    """Return the graph of the folder; where there are several, `model.onnx`."""
    graphs = [
        str(path.relative_to(folder))
        for place in (folder / "onnx", folder)
        for path in sorted(place.glob("*model*.onnx"))
    ]
    for usual in ("onnx/model.onnx", "model.onnx"):
        if usual in graphs:
            return usual
    if len(graphs) == 1:
        return graphs[0]
    found = f"set 'file' to one of {', '.join(graphs)}" if graphs else "there is no onnx/model.onnx"
    raise ArtifactError(f"{folder}: {found}")


def _eos(folder: Path, configured: Any, path: Path) -> frozenset[int]:
    """Return what ends an answer: generation_config.json's ids, else those of the configuration."""
    generation = read_optional_json(folder / _GENERATION).get("eos_token_id")
    match configured if generation is None else generation:
        case None:
            return frozenset()
        case int(token):
            return frozenset({token})
        case list(tokens) if all(isinstance(token, int) for token in tokens):
            return frozenset(tokens)
    raise ArtifactError(f"{path}: 'eos_token_id' should be a token id or a list of them")


def _sampling(folder: Path) -> Sampling:
    """Return what generation_config.json advises; temperature 1 where it advises nothing.

    `"do_sample": false` is temperature 0, as in transformers.
    """
    path = folder / _GENERATION
    config = read_optional_json(path)
    advised = {name: config[name] for name in _ADVISED if config.get(name) is not None}
    if config.get("do_sample") is False:
        advised["temperature"] = 0.0
    try:
        return Sampling(**advised)
    except (InvalidRequestError, TypeError) as error:
        raise ArtifactError(f"{path}: {error}") from None


_ADVISED = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def _table(values: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    value = values.get(name)
    if not isinstance(value, dict):
        raise ArtifactError(f"{path}: '{name}' should be an object")
    return value


def _needed(values: Mapping[str, Any], name: str, path: Path) -> int:
    value = get_int(values, name, path)
    if value is None or value < 1:
        raise ArtifactError(f"{path}: '{name}' should be a whole number above 0")
    return value
