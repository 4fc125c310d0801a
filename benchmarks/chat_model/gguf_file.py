"""The same network as llama.cpp reads it, every matrix quantised.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md;
https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py (names of tensors)
"""

import json
from pathlib import Path

import gguf
import safetensors.torch
import torch
from gguf import GGMLQuantizationType as Quantization

from benchmarks.chat_model.vocabulary import END, PADDED, SPECIAL, words


def write_gguf(checkpoint: Path, path: Path, quantization: Quantization) -> None:
    """Write a checkpoint as one file."""
    writer = gguf.GGUFWriter(path, "qwen2")
    config = json.loads((checkpoint / "config.json").read_text())
    _write_shape(writer, config)
    _write_vocabulary(writer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in safetensors.torch.load_file(checkpoint / "model.safetensors").items():
        values = tensor.to(torch.float32).numpy()
        kind = quantization if values.ndim == 2 else Quantization.F32
        ours = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(ours, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_shape(writer: gguf.GGUFWriter, config: dict[str, int]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(1e6)


def _write_vocabulary(writer: gguf.GGUFWriter) -> None:
    tokens = [*words(), *SPECIAL]
    tokens += [f"<|unused {place}|>" for place in range(len(tokens), PADDED)]
    special = len(tokens) - len(words())
    types = [gguf.TokenType.NORMAL] * len(words()) + [gguf.TokenType.CONTROL] * special
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["Ġ a"])  # the reader wants at least one; its token is not there
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(value=False)
