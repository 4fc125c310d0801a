"""What chooses tokens: logits and wishes in, tokens out. It knows no requests and no text."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from services.chat.engine.runner import SomeLogits
from services.chat.engine.sampling.adjustments import Row
from services.chat.engine.sampling.sampler import Choice, try_sample


class Sampler(Protocol):
    """Chooses the next token of every row; one thread at a time uses it."""

    def try_sample(self, logits: SomeLogits, rows: Sequence[Row]) -> list[Choice | None]:
        """Return a token for each row; None where the logits are not finite."""


class HostSampler:
    """Chooses with NumPy."""

    def try_sample(self, logits: SomeLogits, rows: Sequence[Row]) -> list[Choice | None]:
        """Return a token for each row; None where the logits are not finite."""
        assert isinstance(logits, np.ndarray), "who keeps logits on a device has its sampler"
        return try_sample(logits, rows)
