"""A byte-level vocabulary as large as Qwen2's, in which every character of ASCII is one token.

So a prompt of n letters has n tokens, while answers come in words.
"""

import itertools
import string

import tokenizers
import transformers

WORDS = 151643
"""Ordinary tokens; special ones follow."""
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END = WORDS + 2
PADDED = 151936
"""Rows of the embedding: more than there are tokens."""
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

FRAME_TOKENS = 19
"""What the template adds to one message of a user."""


def words() -> list[str]:
    """Return the ordinary tokens as byte-level vocabularies write them: the bytes, then words."""
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    made = (
        "Ġ" + "".join(word)
        for length in (2, 3, 4)
        for word in itertools.product(string.ascii_lowercase, repeat=length)
    )
    return [*letters, *itertools.islice(made, WORDS - len(letters))]


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """Return the tokenizer."""
    vocabulary = {word: place for place, word in enumerate(words())}
    model = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges=[]))
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    model.add_special_tokens([tokenizers.AddedToken(text, special=True) for text in SPECIAL])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=model,
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[0],
        chat_template=TEMPLATE,
    )
