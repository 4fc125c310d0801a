"""Which slot holds which tokens, and which one a new sequence gets. It knows no memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new sequence goes."""

    slot: int
    source: int
    """The slot whose first tokens it shares; another one than `slot` is to be copied from."""
    cached_tokens: int
    """How many; 0 where it shares none."""

    @property
    def is_copy(self) -> bool:
        """Whether rows are to be copied."""
        return bool(self.cached_tokens) and self.source != self.slot


@dataclass(slots=True)
class _Slot:
    tokens: list[int] = field(default_factory=list)
    """The tokens whose keys and values it holds."""
    is_busy: bool = False
    freed: int = 0
    """When it was freed last; 0 for never."""


class Slots:
    """The tokens of every slot. A freed slot keeps them until another sequence needs the room."""

    def __init__(self, count: int) -> None:
        self._slots = [_Slot() for _ in range(count)]
        self._freed = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._slots)

    @property
    def busy(self) -> list[int]:
        """The slots that sequences have, ascending."""
        return [place for place, slot in enumerate(self._slots) if slot.is_busy]

    def has_free(self) -> bool:
        """Tell whether a sequence can have a slot."""
        return not all(slot.is_busy for slot in self._slots)

    def tokens_of(self, slot: int) -> Sequence[int]:
        """Return the tokens whose keys and values a slot holds."""
        return self._slots[slot].tokens

    def take(self, prompt: Sequence[int]) -> Place:
        """Give a slot to a sequence; `has_free` was asked before.

        Steps compute every row from the first busy slot to the last one, so the slot that keeps
        them closest together is taken; of those that are alike the one whose tokens are missed
        least. The last token of a prompt is never taken from a slot: its logits are needed.
        """
        source, shared = self._find_prefix(prompt[:-1])
        busy = self.busy
        keeps = shared * 2 >= len(self._slots[source].tokens)
        slot = min(
            (place for place, slot in enumerate(self._slots) if not slot.is_busy),
            key=lambda place: (
                _span([*busy, place]),
                not (keeps and shared and place == source),
                self._slots[place].freed,
            ),
        )
        self._slots[slot].is_busy = True
        self._slots[slot].tokens = list(prompt[:shared])
        return Place(slot, source, shared)

    def try_move(self) -> Place | None:
        """Give the first or the last busy sequence another slot if that brings all closer together.

        Its tokens are to be copied there. One slot is moved at a time: what it costs to copy the
        keys and values of a sequence, about as much as a step of it, is saved in a few steps.
        """
        busy = self.busy
        free = [place for place, slot in enumerate(self._slots) if not slot.is_busy]
        moves = [
            (_span([*(other for other in busy if other != source), slot]), source, slot)
            for source in {*busy[:1], *busy[-1:]}
            for slot in free
        ]
        if not moves:
            return None
        span, source, slot = min(moves, key=lambda move: (move[0], self._slots[move[2]].freed))
        if span >= _span(busy):
            return None
        place = Place(slot, source, len(self._slots[source].tokens))
        self._slots[slot] = _Slot(list(self._slots[source].tokens), is_busy=True)
        # Whoever needs room takes that of the copy that stays behind.
        self._slots[source].is_busy = False
        self._slots[source].freed = 0
        return place

    def extend(self, slot: int, tokens: Iterable[int]) -> None:
        """Note that the keys and values of more tokens were computed."""
        assert self._slots[slot].is_busy
        self._slots[slot].tokens.extend(tokens)

    def free(self, slot: int, *, keeps: bool = True) -> None:
        """Take a slot back; its tokens stay for whoever begins alike, or else are forgotten."""
        assert self._slots[slot].is_busy
        if not keeps:
            self._slots[slot].tokens.clear()
        self._freed += 1
        self._slots[slot].is_busy = False
        self._slots[slot].freed = self._freed

    def forget(self) -> None:
        """Keep no tokens: nobody knows what the slots hold."""
        assert not self.busy
        for slot in self._slots:
            slot.tokens.clear()

    def _find_prefix(self, prompt: Sequence[int]) -> tuple[int, int]:
        """Return the slot that begins most like a prompt, and by how many tokens."""
        lengths = [_common(slot.tokens, prompt) for slot in self._slots]
        longest = max(lengths)
        return lengths.index(longest), longest


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many tokens two sequences have in common at their beginning."""
    length = min(len(left), len(right))
    if left[:length] == right[:length]:
        return length
    return next(place for place in range(length) if left[place] != right[place])


def _span(slots: Sequence[int]) -> int:
    return max(slots) - min(slots) + 1
