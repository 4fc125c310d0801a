"""The tokenizer: byte-level BPE, learned from the dialogues themselves.

A word has the same tokens wherever it stands, behind a space, a quotation mark or an underscore,
so that what is copied from a question into JSON is the same there; only the commonest words,
which nobody copies, have their space with them. Digits stand alone, so that sums can be learned,
and so do capitals before other capitals: what is in capitals comes letter by letter.

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

_COMMON = (
    "a an and are as at be by can could do does for from has have he her him how i if in is it"
    " me my not of on or our out please she so that the there they this to up was we were what"
    " which who will with would you your"
)
_PIECES = "|".join(
    (
        r"'(?:s|t|re|ve|m|ll|d)\b",
        rf" (?:{_COMMON.replace(' ', '|')})(?!\p{{L}})",
        r"\p{Lu}(?!\p{Ll})",
        r"\p{Lu}?[\p{L}&&[^\p{Lu}]]+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""What no token crosses: a shortened verb, a common word with the space before it, a capital that
no small letter follows, a word or its part up to the next capital, a digit, marks, white space."""

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
