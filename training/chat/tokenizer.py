"""The tokenizer: byte-level BPE, learned from the dialogues themselves.

Digits stand alone, so that sums can be learned, and so do capitals before other capitals: what is
in capitals comes letter by letter.

Source: https://arxiv.org/abs/1508.07909 (BPE);
https://huggingface.co/docs/tokenizers/api/pre-tokenizers (byte level)
"""

from collections.abc import Iterator
from random import Random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.chat.author import Author
from training.chat.dialogues import draw_dialogue
from training.chat.prompts import Prompts

END, BEGIN_TURN, END_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (END, BEGIN_TURN, END_TURN)
TAGS = ("<tools>", "</tools>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
"""Tokens that are text: what reads tool calls must see them."""

_PIECES = (
    r"'(?:s|t|re|ve|m|ll|d)\b| ?\p{Lu}(?=\p{Lu})| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
"""A capital before another, a word with the space before it, one digit, marks, white space."""

_SAMPLE_DIALOGUES = 60_000


def train_tokenizer(vocabulary: int, seed: int, dialogues: int = _SAMPLE_DIALOGUES) -> Tokenizer:
    """Return a tokenizer with so many tokens, learned from a sample of dialogues."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(TAGS),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(seed, dialogues), trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    return tokenizer


def _texts(seed: int, dialogues: int) -> Iterator[str]:
    """Return what dialogues say, without texts in capitals."""
    author, prompts = Author(Random(f"tokenizer {seed}")), Prompts()  # noqa: S311
    for _ in range(dialogues):
        text = prompts.render(draw_dialogue(author))
        for line in text.split("\n"):
            if not (line.isupper() and len(line) > 4):
                yield line
