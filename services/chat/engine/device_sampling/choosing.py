"""The graphs that choose tokens: one for each way in which rows may ask, so that each is short."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from services.chat.engine.device_sampling.changes import change
from services.chat.engine.device_sampling.drawing import draw
from services.chat.engine.device_sampling.masks import forbid
from services.chat.engine.device_sampling.nodes import Nodes
from services.chat.engine.device_sampling.source import Source, expose, take_rows
from services.chat.engine.device_sampling.weights import (
    Bounds,
    Limits,
    add_shortlist,
    ahead_of,
    count,
    is_within,
    keep,
    keep_likely,
    total,
    weigh,
)

WHOLE = ("slot", "mask", "top_k", "bound_id")
"""Columns of the input `whole`, int64."""
REAL = ("scale", "min_p", "top_p", "bound_logit")
"""Columns of the input `real`, float64."""


class Kind(Enum):
    """How a token is chosen."""

    LIKELIEST = "likeliest"
    """It is the likeliest one."""
    ANY = "any"
    """It is drawn of all tokens, but for `min_p`."""
    SHORT = "short"
    """It is drawn of the likeliest tokens, as `top_k` and `top_p` say, if those are few."""
    WIDE = "wide"
    """It is drawn of all tokens before a bound, and then seen whether it is within the limits."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What a graph does."""

    kind: Kind
    has_changes: bool
    """Whether there are penalties or biases."""
    has_masks: bool
    """Whether there are grammars."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a graph begins with."""

    nodes: Nodes
    vocabulary: int
    whole: dict[str, str]
    logits: str


_Outputs = dict[str, tuple[str, type[np.generic]]]


def write_choosing(variant: Variant, source: Source) -> bytes:
    """Return a graph that chooses a token for each row.

    Its inputs are `logits`, `whole` and, as the variant needs them, `real`, `keys`, `changed`,
    `changes` and `masks`. Its outputs, (rows, 1) each, are `token`, `peak`, the greatest logit,
    which is not finite where there is no token, and what its kind tells beside them.
    """
    nodes = Nodes()
    whole = _columns(nodes, "whole", np.int64, WHOLE)
    adjusted = logits = take_rows(nodes, source, whole["slot"])
    if variant.has_changes:
        adjusted = change(nodes, adjusted, source.vocabulary)
    if variant.has_masks:
        adjusted = forbid(nodes, adjusted, whole["mask"], source.vocabulary)
    rows = _Rows(nodes, source.vocabulary, whole, expose(nodes, logits, adjusted))
    return nodes.model(_CHOOSE[variant.kind](rows))


def _choose_likeliest(rows: _Rows) -> _Outputs:
    peak, token = rows.nodes.top(rows.logits, 1)
    return _outputs(token, peak)


def _choose_any(rows: _Rows) -> _Outputs:
    nodes, real = rows.nodes, _real(rows)
    peak, _ = nodes.top(rows.logits, 1)
    weights = weigh(nodes, rows.logits, peak, real["scale"])
    weights = keep_likely(nodes, weights, real["min_p"])
    return _outputs(_draw(rows, None, weights, rows.vocabulary), peak)


def _choose_short(rows: _Rows) -> _Outputs:
    nodes, real = rows.nodes, _real(rows)
    limits = _limits(rows, real)
    found = add_shortlist(nodes, rows.logits, limits, rows.vocabulary)
    chosen = _outputs(_draw(rows, found.ids, found.weights, found.size), found.peak)
    if found.size == rows.vocabulary:
        return chosen
    return chosen | {"is_settled": (found.is_whole, np.bool_)}


def _choose_wide(rows: _Rows) -> _Outputs:
    """Where a token is not within the limits, those within are all before it: it is the next bound.

    Source: `sampling.sampler.draw`
    """
    nodes, real = rows.nodes, _real(rows)
    limits = _limits(rows, real)
    peak, _ = nodes.top(rows.logits, 1)
    every = weigh(nodes, rows.logits, peak, limits.scale)
    bounds = Bounds(real["bound_logit"], rows.whole["bound_id"])
    left = keep(nodes, ahead_of(nodes, rows.logits, bounds, rows.vocabulary), every)
    left = keep_likely(nodes, left, limits.min_p)
    token = _draw(rows, None, left, rows.vocabulary)
    logit = nodes.pick(rows.logits, token)
    ahead = ahead_of(nodes, rows.logits, Bounds(logit, token), rows.vocabulary)
    mass = total(nodes, keep(nodes, ahead, every))
    in_top_p = is_within(nodes, mass, limits.top_p, total(nodes, every))
    rank = count(nodes, nodes.add("Greater", rows.logits, logit))
    in_top_k = nodes.add("Less", rank, limits.top_k)
    is_settled = nodes.add("And", in_top_p, in_top_k)
    told: _Outputs = {"is_settled": (is_settled, np.bool_), "logit": (logit, np.float32)}
    return _outputs(token, peak) | told


_CHOOSE = {
    Kind.LIKELIEST: _choose_likeliest,
    Kind.ANY: _choose_any,
    Kind.SHORT: _choose_short,
    Kind.WIDE: _choose_wide,
}


def _draw(rows: _Rows, ids: str | None, weights: str, size: int) -> str:
    return draw(rows.nodes, ids, weights, size=size, vocabulary=rows.vocabulary)


def _outputs(token: str, peak: str) -> _Outputs:
    return {"token": (token, np.int64), "peak": (peak, np.float32)}


def _limits(rows: _Rows, real: dict[str, str]) -> Limits:
    return Limits(real["scale"], real["min_p"], real["top_p"], rows.whole["top_k"])


def _real(rows: _Rows) -> dict[str, str]:
    """Return what rows ask for; all but `top_p` in fp32."""
    columns = _columns(rows.nodes, "real", np.float64, REAL)
    return {
        name: value if name == "top_p" else rows.nodes.cast(value, np.float32)
        for name, value in columns.items()
    }


def _columns(
    nodes: Nodes, name: str, dtype: type[np.generic], columns: tuple[str, ...]
) -> dict[str, str]:
    """Add an input with a column for each name, and return the columns, (rows, 1)."""
    values = nodes.input(name, dtype, ["rows", len(columns)])
    parts = nodes.add_many("Split", len(columns), values, axis=1, num_outputs=len(columns))
    return dict(zip(columns, parts, strict=True))
