"""What rows ask for: which graph, and which arrays it takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.device_sampling.changes import gather_changes, is_changed
from services.chat.engine.device_sampling.choosing import REAL, WHOLE, Kind, Variant
from services.chat.engine.device_sampling.hashing import key_pieces
from services.chat.engine.device_sampling.masks import gather_masks
from services.chat.engine.device_sampling.spread_bits import Spread
from services.chat.engine.device_sampling.weights import NO_TOP_P, SHORTLIST
from services.chat.engine.sampling.adjustments import Row
from services.chat.engine.sampling.randomness import derive, key_of
from services.runtime.onnx import Array


@dataclass(frozen=True, eq=False, slots=True)
class Wish:
    """A row that has no token yet."""

    place: int
    """Its place among the rows that were asked for."""
    slot: int
    """Where its logits are."""
    row: Row
    kind: Kind | None
    """How a token is to be chosen; None where only the host can."""
    bound_logit: float = -np.inf
    """Only tokens before a bound in the order of likelihood are drawn: its logit, or -inf."""
    bound_id: int = 0


def first_wish(place: int, slot: int, row: Row, vocabulary: int) -> Wish:
    """Return what a row asks for.

    The device does not know what `top_p` is a share of where `top_k` leaves many tokens.
    """
    sampling = row.sampling
    has_top_k = 0 < sampling.top_k < vocabulary
    kind: Kind | None
    if sampling.is_greedy:
        kind = Kind.LIKELIEST
    elif not has_top_k and sampling.top_p == 1:
        kind = Kind.ANY
    elif not has_top_k or sampling.top_k < SHORTLIST:
        kind = Kind.SHORT
    else:
        kind = Kind.WIDE if sampling.top_p == 1 else None
    return Wish(place, slot, row, kind)


def next_wish(wish: Wish, token: int, logit: float | None) -> Wish:
    """Return what to ask for where a token is not sure to be within the limits.

    Args:
        wish: What was asked for.
        token: What was drawn.
        logit: Its logit, of a wide draw.
    """
    if logit is not None:
        return replace(wish, bound_logit=logit, bound_id=token)
    has_both = wish.row.sampling.top_k > 0 and wish.row.sampling.top_p < 1
    return replace(wish, kind=None if has_both else Kind.WIDE)


def variant_of(kind: Kind, wishes: Sequence[Wish]) -> Variant:
    """Return the shortest graph for some rows."""
    return Variant(
        kind,
        has_changes=any(is_changed(wish.row) for wish in wishes),
        has_masks=any(wish.row.mask is not None for wish in wishes),
    )


def feeds_of(variant: Variant, wishes: Sequence[Wish], vocabulary: int) -> dict[str, Array]:
    """Return the inputs of a graph but for the logits."""
    rows = [wish.row for wish in wishes]
    masks = gather_masks([row.mask for row in rows], vocabulary)
    whole = {
        "slot": [wish.slot for wish in wishes],
        "mask": masks.places,
        "top_k": [row.sampling.top_k or vocabulary for row in rows],
        "bound_id": [wish.bound_id for wish in wishes],
    }
    feeds: dict[str, Array] = {"whole": np.array([whole[name] for name in WHOLE], np.int64).T}
    if variant.has_changes:
        changes = gather_changes(rows, vocabulary)
        feeds |= {"changed": changes.places[None], "changes": changes.numbers}
    if variant.has_masks:
        feeds["masks"] = masks.table
    if variant.kind is not Kind.LIKELIEST:
        feeds |= {"real": _real(wishes), "keys": _keys(rows)}
    return {name: np.ascontiguousarray(value) for name, value in feeds.items()}


def _real(wishes: Sequence[Wish]) -> NDArray[np.float64]:
    asked = [wish.row.sampling for wish in wishes]
    real = {
        "scale": [1 / sampling.temperature for sampling in asked],
        "min_p": [sampling.min_p for sampling in asked],
        "top_p": [sampling.top_p if sampling.top_p < 1 else NO_TOP_P for sampling in asked],
        "bound_logit": [wish.bound_logit for wish in wishes],
    }
    return np.array([real[name] for name in REAL], np.float64).T


def _keys(rows: Sequence[Row]) -> Spread:
    """Return pieces of the keys of blocks and of tokens, (2, rows, pieces)."""
    keys = [key_of(row.seed, row.choice, len(row.answer)) for row in rows]
    return key_pieces(np.array([keys, [derive(key, 0) for key in keys]], np.uint64))
