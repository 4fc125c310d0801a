"""Tiny models of transformers with random weights, one of each shape that chat models have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import models

VOCABULARY = 320
WINDOW = 24
CONTEXT = 256
SHORT = 96
"""The longest text of the short rotations, where a model has two kinds."""

_PLAIN = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
_SLIDING = {"sliding_window": WINDOW}
_GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, **_SLIDING}
_LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
_PARTIAL = 0.75
_TURNED = int(64 * _PARTIAL) // 2
_LONG_ROPE = {
    "rope_type": "longrope",
    "type": "longrope",
    "rope_theta": 10_000.0,
    "partial_rotary_factor": _PARTIAL,
    "short_factor": [1.0 + 0.02 * n for n in range(_TURNED)],
    "long_factor": [2.0 + 0.2 * n for n in range(_TURNED)],
}


@dataclass(frozen=True, slots=True)
class Family:
    """A shape of models."""

    config: str
    """The configuration's class in transformers."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    for_builder: Mapping[str, Any] = field(default_factory=dict)
    """What the model builder reads from the configuration and transformers does not keep there."""
    unturned_layers: tuple[int, ...] = ()
    """Layers whose keys do not know where they stand."""

    def new_config(self) -> Any:
        """Return the configuration of a tiny model."""
        return getattr(transformers, self.config)(**_PLAIN | dict(self.fields))


_ALL_SLIDE = {"layer_types": ["sliding_attention"] * 4}
"""Without it the builder leaves out the window of models whose layers are all alike (0.18.0)."""

FAMILIES = {
    "llama": Family("LlamaConfig", {"rope_parameters": _LLAMA_3}),
    "smollm": Family("LlamaConfig", {"tie_word_embeddings": True}),
    "smollm3": Family(
        "SmolLM3Config",
        {"no_rope_layers": [1, 0, 1, 0]},
        # It fails on 0s: KeyError 'position_ids' (0.18.0).
        {"no_rope_layers": [1, 1, 1, 1]},
        unturned_layers=(1, 3),
    ),
    "qwen2": Family("Qwen2Config"),
    "qwen3": Family("Qwen3Config", {"head_dim": 16, "tie_word_embeddings": True}),
    "mistral": Family("MistralConfig", _SLIDING, _ALL_SLIDE),
    "phi3": Family(
        "Phi3Config", {**_SLIDING, "original_max_position_embeddings": CONTEXT}, _ALL_SLIDE
    ),
    "phi4-mini": Family(
        "Phi3Config",
        {
            # Heads of 64, as the kernel wants a multiple of 16 turned of each.
            "hidden_size": 128,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
            "original_max_position_embeddings": SHORT,
            "partial_rotary_factor": _PARTIAL,
            "rope_parameters": _LONG_ROPE,
        },
    ),
    "gemma2": Family("Gemma2Config", _GEMMA),
    "gemma3": Family(
        "Gemma3TextConfig",
        {**_GEMMA, "sliding_window_pattern": 2},
        # The builder knows the configuration of transformers 4 only (0.18.0).
        {
            "rope_parameters": {"rope_type": "default"},
            "rope_theta": 1_000_000.0,
            "rope_local_base_freq": 10_000.0,
        },
    ),
}


class Reference:
    """A model of transformers."""

    def __init__(self, family: str, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.family = FAMILIES[family]
        config = self.family.new_config()
        config._attn_implementation = "eager"
        self._model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
        _shake(self._model)

    def save(self, folder: Path) -> None:
        """Write a checkpoint, with a tokenizer that knows its vocabulary and nothing else."""
        self._model.save_pretrained(folder)
        words = tokenizers.Tokenizer(
            models.WordLevel({f"<{token}>": token for token in range(VOCABULARY)}, "<0>")
        )
        transformers.PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits after every token of one text, (tokens, vocabulary)."""
        with torch.inference_mode():
            result: NDArray[np.float32] = self._model(torch.tensor([tokens])).logits[0].numpy()
        return result


def _shake(model: Any) -> None:
    """Give it weights that keep states near 1 and make logits differ clearly."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() < 2:  # norms and biases
                weight.add_(0.1 * torch.randn_like(weight))
            elif "embed_tokens" in name or "lm_head" in name:
                weight.copy_(0.4 * torch.randn_like(weight))
            else:
                weight.copy_(torch.randn_like(weight) / weight.shape[1] ** 0.5)
