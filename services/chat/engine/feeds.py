"""Which inputs a decoder's graph has, and what is put into them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.folder import Spec
from services.chat.engine.head import LOGIT_PLACES
from services.runtime.artifacts import ArtifactError
from services.runtime.onnx import Array, Session

Integers = NDArray[np.int64]


def check_inputs(session: Session, spec: Spec) -> None:
    """Check that every input of a decoder can be filled.

    Raises:
        ArtifactError: One cannot, or a cache is missing.
    """
    names = spec.names
    caches = {past for past, _ in spec.caches()}
    fed = {names.input_ids, names.attention_mask, names.position_ids, *caches}
    unknown = set(session.inputs) - fed - {LOGIT_PLACES, LOGITS_TO_KEEP, USES_CACHE}
    if unknown:
        raise ArtifactError(f"{spec.path}: nobody fills the graph's inputs {_listed(unknown)}")
    missing = (caches | {names.input_ids}) - set(session.inputs)
    missing |= ({present for _, present in spec.caches()} | {names.logits}) - set(session.outputs)
    if missing:
        raise ArtifactError(f"{spec.path}: the graph lacks {_listed(missing)}")


LOGITS_TO_KEEP = "num_logits_to_keep"
"""An input of transformers.js's decoders: how many of the last logits to compute, or 0 for all."""
USES_CACHE = "use_cache_branch"
"""An input of Optimum's merged decoders: whether there is a past."""
LAST: Integers = np.array([-1])
"""Asks for the logits of the last token."""


def feeds_of(
    session: Session, spec: Spec, ids: Integers, places: Integers, asked: Integers = LAST
) -> dict[str, Array]:
    """Return what the graph takes of these, by name, in its types.

    Args:
        session: The graph.
        spec: Its names.
        ids: Tokens to read, (rows, tokens).
        places: Where they stand in their sequences, (rows, tokens), ascending.
        asked: Which of them the logits are of, (n,), if the graph can choose; else they are of all.
    """
    names = spec.names
    lengths = places[:, -1:] + 1
    values = {
        names.input_ids: ids,
        names.attention_mask: np.arange(lengths.max()) < lengths,
        names.position_ids: places,
        LOGIT_PLACES: asked,
        LOGITS_TO_KEEP: _ALL,
    }
    return {
        name: np.asarray(value, _INTEGERS[session.inputs[name]], order="C")
        for name, value in values.items()
        if name in session.inputs
    }


_ALL: Integers = np.array(0)
_INTEGERS: Mapping[str, type[np.signedinteger]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
