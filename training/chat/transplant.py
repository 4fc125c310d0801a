"""Moves a model to another tokenizer: what its layers have learned stays, its words get new places.

Source: https://arxiv.org/abs/2112.06598 (WECHSEL, of which this is the plainest case: tokens of
one language, found by their text)
"""

from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

_SPACE = "Ġ"
"""How byte-level tokens write a space."""


def transplanted(state: dict[str, Any], tokenizer: Tokenizer) -> dict[str, Any]:
    """Return a checkpoint without optimizers for another tokenizer.

    A token that both know keeps its embedding, a word has the mean of its forms with and without
    a space, and any other the mean of the pieces that it came in before.
    """
    old = Tokenizer.from_str(state["tokenizer"])
    weights = dict(state["average"])
    embeddings: Tensor = weights["embed_tokens.weight"].float()
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    rows = [
        _embedding(token, tokenizer.decode([place]), old, embeddings) for token, place in vocabulary
    ]
    weights["embed_tokens.weight"] = torch.stack(rows)
    return {**state, "tokenizer": tokenizer.to_str(), "average": weights}


def _embedding(token: str, text: str, old: Tokenizer, embeddings: Tensor) -> Tensor:
    """Return (width): the embedding of a token that the old tokenizer may not know."""
    forms = (token, _SPACE + token) if token.isalpha() else (token,)
    known = [place for form in forms if (place := old.token_to_id(form)) is not None]
    if known:
        return embeddings[known].mean(0)
    return embeddings[old.encode(text, add_special_tokens=False).ids].mean(0)
