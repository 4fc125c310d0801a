"""Logits that stay on the device: who has them, not what they are."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceLogits:
    """The logits of some slots, each in the row of its slot; they hold until the slot is run."""

    slots: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, places: Sequence[int]) -> "DeviceLogits":
        return DeviceLogits(tuple(self.slots[place] for place in places))
