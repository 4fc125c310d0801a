"""Writes a checkpoint as transformers reads it: config, weights, tokenizer, template."""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from tokenizers import Tokenizer

from training.chat.config import Architecture
from training.chat.prompts import TEMPLATE
from training.chat.tokenizer import BEGIN_TURN, END, END_TURN


def write_checkpoint(state: dict[str, Any], folder: Path) -> None:
    """Write the averaged weights of a checkpoint in the Hugging Face layout.

    Args:
        state: Of the checkpoint.
        folder: Made if absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = Architecture(**state["shape"])
    average = state["average"]
    named = {f"model.{name}": each.float().contiguous() for name, each in average.items()}
    save_file(named, folder / "model.safetensors", {"format": "pt"})
    shutil.copyfile(TEMPLATE, folder / "chat_template.jinja")
    tokenizer = Tokenizer.from_str(state["tokenizer"])
    tokenizer.save(str(folder / "tokenizer.json"))
    ends: list[int] = [tokenizer.get_vocab()[each] for each in (END_TURN, END)]
    _write(folder / "config.json", _config(shape, ends))
    _write(
        folder / "generation_config.json",
        {"eos_token_id": ends, "pad_token_id": ends[1], "do_sample": False},
    )
    _write(folder / "tokenizer_config.json", _tokenizer_config(shape))


def _config(shape: Architecture, ends: list[int]) -> dict[str, Any]:
    """Return the configuration of a Qwen3 model.

    Source: https://huggingface.co/docs/transformers/model_doc/qwen3
    """
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context_tokens,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "attention_bias": False,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "dtype": "float32",
        "eos_token_id": ends[0],
        "pad_token_id": ends[1],
        "bos_token_id": None,
    }


def _tokenizer_config(shape: Architecture) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.context_tokens,
        "eos_token": END_TURN,
        "pad_token": END,
        "additional_special_tokens": [BEGIN_TURN],
        "clean_up_tokenization_spaces": False,
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
