"""Tokenizers: a byte-level one that is trained here, real ones where they are at hand."""

import functools
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

SHARED = Path(__file__).parents[4] / "shared"

TEXTS = (
    "The quick brown fox jumps over the lazy dog. Once upon a time there was a princess.",
    "我们去公园散步吧。今天天气很好。日本語もあります。",
    "naïve café, Zürich, e\u0301 with a combining accent, 👩‍🚀🚀 and 🏳️‍🌈 flags 🇨🇭",
    "def f(x):\n\treturn {'a': x ** 2}  # square\n\n",
)

SPECIAL = ("<|end|>", "<|call|>")


@functools.cache
def byte_level() -> tokenizers.Tokenizer:
    """Return a small byte-level BPE: most letters beyond ASCII are two tokens or more."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        show_progress=False,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


@functools.cache
def byte_fallback() -> tokenizers.Tokenizer:
    """Return a vocabulary in SentencePiece's manner: words, and a token for each byte."""
    words = ["<s>", "▁", "▁the", "▁fox", "fox", "é", "▁▁", *(f"<0x{n:02X}>" for n in range(256))]
    tokenizer = tokenizers.Tokenizer(
        models.BPE({word: place for place, word in enumerate(words)}, [], byte_fallback=True)
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(["<s>"])
    return tokenizer


REAL = ("clip", "phi-2", "phi-3-mini", "roberta-base", "t5-small", "whisper.tiny")


@functools.cache
def real(name: str) -> tokenizers.Tokenizer:
    """Return a published tokenizer."""
    path = SHARED / "data" / "tokenizers" / name / "tokenizer.json"
    if not path.is_file():
        pytest.skip(f"needs the tokenizer {name} beside the repository")
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
