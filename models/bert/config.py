"""The few numbers of config.json that the encoder's graph depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from models.errors import ModelFileError, UnsupportedConfigError


@dataclass(frozen=True)
class BertConfig:
    """The shape of a BERT encoder."""

    vocabulary_size: int
    """Rows of the word embedding table."""

    max_positions: int
    """Rows of the position table: the longest sequence, in tokens."""

    segments: int
    """Rows of the token type table."""

    width: int
    """Size of a token's state."""

    inner_width: int
    """Size of the feed-forward network's middle."""

    layers: int
    heads: int

    epsilon: float
    """Added to the variance in every layer normalisation."""

    @property
    def head_size(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads


REQUIRED = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
"""The architecture that the exporter writes, and what a config that is silent means."""


def parse_config(text: bytes) -> BertConfig:
    """Read a Hugging Face config.json.

    Raises:
        ModelFileError: it is not a JSON object.
        UnsupportedConfigError: a field is absent, or asks for a network of another kind.
    """
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ModelFileError("config.json", f"is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise ModelFileError("config.json", "is not a JSON object")
    for field, wanted in REQUIRED.items():
        if fields.get(field, wanted) != wanted:
            raise UnsupportedConfigError(field, f"is {fields[field]!r}; only {wanted!r} is known")
    config = BertConfig(
        vocabulary_size=_size(fields, "vocab_size"),
        max_positions=_size(fields, "max_position_embeddings"),
        segments=_size(fields, "type_vocab_size"),
        width=_size(fields, "hidden_size"),
        inner_width=_size(fields, "intermediate_size"),
        layers=_size(fields, "num_hidden_layers"),
        heads=_size(fields, "num_attention_heads"),
        epsilon=_epsilon(fields),
    )
    if config.width % config.heads:
        raise UnsupportedConfigError(
            "num_attention_heads", f"{config.heads} does not divide hidden_size {config.width}"
        )
    return config


def _size(fields: dict[str, object], field: str) -> int:
    value = fields.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnsupportedConfigError(field, f"is {value!r}, not a whole number of at least 1")
    return value


def _epsilon(fields: dict[str, object]) -> float:
    value = fields.get("layer_norm_eps", 1e-12)
    if not isinstance(value, float) or not 0 < value < 1:
        raise UnsupportedConfigError("layer_norm_eps", f"is {value!r}, not between 0 and 1")
    return value
