"""Which inputs a decoder's graph has, and what is put into them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.folder import Spec
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
    unknown = set(session.inputs) - fed - {USES_CACHE}
    if unknown:
        raise ArtifactError(f"{spec.path}: nobody fills the graph's inputs {_listed(unknown)}")
    missing = (caches | {names.input_ids}) - set(session.inputs)
    missing |= ({present for _, present in spec.caches()} | {names.logits}) - set(session.outputs)
    if missing:
        raise ArtifactError(f"{spec.path}: the graph lacks {_listed(missing)}")


USES_CACHE = "use_cache_branch"
"""An input of Optimum's merged decoders: whether there is a past."""


def feeds_of(
    session: Session, spec: Spec, ids: Integers, mask: Integers, places: Integers
) -> dict[str, Array]:
    """Return what the graph takes of these, by name, in its types."""
    names = spec.names
    values = {names.input_ids: ids, names.attention_mask: mask, names.position_ids: places}
    return {
        name: np.ascontiguousarray(value, _INTEGERS[session.inputs[name]])
        for name, value in values.items()
        if name in session.inputs
    }


_INTEGERS: Mapping[str, type[np.signedinteger]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
