"""Chooses tokens where the logits are: the device tells token ids, not logits."""

import math
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from services.chat.engine.device_sampling.choosing import Kind, write_choosing
from services.chat.engine.device_sampling.device_logits import DeviceLogits
from services.chat.engine.device_sampling.graphs import Graphs, OpenGraph
from services.chat.engine.device_sampling.logprobs import read_logprobs, write_logprobs
from services.chat.engine.device_sampling.source import Source, write_rows
from services.chat.engine.device_sampling.wishes import (
    Wish,
    feeds_of,
    first_wish,
    next_wish,
    variant_of,
)
from services.chat.engine.sampling.adjustments import Row
from services.chat.engine.sampling.sampler import Choice, try_sample
from services.runtime.onnx import Array, Buffer

MOST_ROWS = 16
"""Rows of one run. Its memory grows with them, and the CUDA provider keeps the order of equal
logits, as `weights.SHORTLIST` says, as long as the device has room for all rows at once."""

Choices = dict[int, Choice | None]
"""What was chosen, by places among the rows that were asked for."""
Tokens = dict[Wish, int | None]


class DeviceSampler:
    """Chooses the next token of every row, as `sampling.sampler` does.

    The same row and seed give the same token, but for what the last bits of weights may change.
    """

    def __init__(self, logits: Buffer, open_graph: OpenGraph) -> None:
        """Take the logits of all slots, and what opens graphs where they are.

        Args:
            logits: Shape (slots, 1, vocabulary), float16 or float32.
            open_graph: Opens a graph on the same device.
        """
        _, _, vocabulary = logits.shape
        self._source = Source(vocabulary, logits.dtype)
        self._graphs = Graphs(logits, open_graph)

    def try_sample(
        self, logits: DeviceLogits | NDArray[np.float32], rows: Sequence[Row]
    ) -> list[Choice | None]:
        """Return a token for each row; None where the logits are not finite.

        Args:
            logits: Whose logits on the device are meant; or logits on the host.
            rows: As many.
        """
        if not isinstance(logits, DeviceLogits):
            return try_sample(logits, rows)
        wishes = [
            first_wish(place, slot, row, self._source.vocabulary)
            for place, (slot, row) in enumerate(zip(logits.slots, rows, strict=True))
        ]
        choices: Choices = {}
        while wishes:
            kind = wishes[0].kind
            alike = [wish for wish in wishes if wish.kind is kind][:MOST_ROWS]
            wishes = [wish for wish in wishes if wish not in alike]
            if kind is None:
                choices |= self._choose_on_host(alike)
            else:
                tokens, again = self._draw(kind, alike)
                choices |= self._with_logprobs(tokens)
                wishes += again
        return [choices[place] for place in range(len(rows))]

    def _draw(self, kind: Kind, wishes: Sequence[Wish]) -> tuple[Tokens, list[Wish]]:
        """Return tokens, and what is asked for next where there are none yet."""
        variant = variant_of(kind, wishes)
        told = self._graphs.run(
            variant,
            partial(write_choosing, variant, self._source),
            feeds_of(variant, wishes, self._source.vocabulary),
            len(wishes),
        )
        tokens: Tokens = {}
        again = []
        for place, wish in enumerate(wishes):
            token = int(told["token"][place, 0])
            if not math.isfinite(told["peak"][place, 0]):
                tokens[wish] = None
            elif "is_settled" not in told or told["is_settled"][place, 0]:
                tokens[wish] = token
            else:
                logit = told["logit"][place].item() if "logit" in told else None
                again.append(next_wish(wish, token, logit))
        return tokens, again

    def _with_logprobs(self, tokens: Tokens) -> Choices:
        choices = {
            wish.place: None if token is None else Choice(token) for wish, token in tokens.items()
        }
        asked = {
            wish: token
            for wish, token in tokens.items()
            if token is not None and wish.row.sampling.top_logprobs is not None
        }
        if asked:
            feeds = {"slots": _slots(asked), "tokens": np.array([[*asked.values()]], np.int64).T}
            told = self._graphs.run(
                "logprobs", partial(write_logprobs, self._source), feeds, len(asked)
            )
            for place, (wish, token) in enumerate(asked.items()):
                top = wish.row.sampling.top_logprobs or 0
                choices[wish.place] = Choice(token, read_logprobs(told, place, top))
        return choices

    def _choose_on_host(self, wishes: Sequence[Wish]) -> Choices:
        feeds = {"slots": _slots(wishes)}
        told = self._graphs.run("rows", partial(write_rows, self._source), feeds, len(wishes))
        chosen = try_sample(told["values"], [wish.row for wish in wishes])
        return dict(zip((wish.place for wish in wishes), chosen, strict=True))


def _slots(wishes: Iterable[Wish]) -> Array:
    return np.array([[wish.slot] for wish in wishes], np.int64)
