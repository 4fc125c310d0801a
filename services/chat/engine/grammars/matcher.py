"""Follows one choice through a compiled grammar."""

from collections.abc import Callable

import numpy as np
from llguidance import LLMatcher
from numpy.typing import NDArray


class Matcher:
    """Where one choice stands in its grammar."""

    def __init__(self, state: LLMatcher, vocabulary: int, give_up: Callable[[], None]) -> None:
        """Stand at the beginning.

        Args:
            state: A state of its own, at the beginning.
            vocabulary: How many token ids there are.
            give_up: Told when the grammar turns out to be more than can be followed.
        """
        self._state = state
        self._mask = np.zeros((vocabulary + 31) // 32, np.uint32)
        self._pointer = self._mask.ctypes.data
        self._give_up = give_up

    def mask(self) -> NDArray[np.uint32]:
        """Return which tokens may come next; what is returned holds up to the next call.

        None may where the grammar needs more work or memory than it is given, or where the tokens
        of the model cannot write what it asks for: then the answer fails.
        """
        self._state.unsafe_compute_mask_ptr(self._pointer, self._mask.nbytes)
        if self._state.is_error():  # then llguidance would have the answer end here
            self._mask[:] = 0
            self._give_up()
        return self._mask

    def accept(self, token: int) -> None:
        """Go on by a token that was allowed."""
        self._state.consume_token(token)
