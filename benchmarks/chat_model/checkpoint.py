"""A random network of the shape of Qwen2-0.5B, as the folder that every exporter starts from.

Source: https://huggingface.co/Qwen/Qwen2-0.5B/blob/main/config.json (the shape)
"""

from pathlib import Path

import torch
import transformers

from benchmarks.chat_model.vocabulary import END, PADDED, tokenizer

LAYERS = 24
SPREAD = 4.0
"""Standard deviation of the logits, about that of trained models. Of a network as it is initialised
it is below 1, and every token is as likely as any other: sampling has never so many candidates."""


def write_checkpoint(folder: Path) -> None:
    """Write configuration, weights and tokenizer."""
    torch.manual_seed(11)
    config = transformers.Qwen2Config(
        vocab_size=PADDED,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=LAYERS,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        rope_theta=1e6,
        tie_word_embeddings=True,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=END,
    )
    network = transformers.Qwen2ForCausalLM(config).eval()
    _spread_logits(network)
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


@torch.no_grad()
def _spread_logits(network: transformers.Qwen2ForCausalLM) -> None:
    """Scale the last norm, so that the logits are as far apart as those of a trained model."""
    logits = network(torch.arange(64)[None]).logits
    network.model.norm.weight *= SPREAD / float(logits.std())
