"""Core. What one partition's checkpoints have committed, and no reader of what was committed was seen to reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

Place = TypeVar("Place")


class Unseen(Generic[Place]):
    """``places``: the offset of the newest such record in each partition that was written to."""

    def __init__(self) -> None:
        self.places: dict[Place, int] = {}
        self._doubted: dict[Place, tuple[int, int]] = {}
        """The same offsets at the last look, and at how many looks they were not seen."""

    def expect(self, places: Mapping[Place, int]) -> None:
        """Look for these offsets, too; for a newer one in place of an older one."""
        self.places |= places

    def look(self, ends: Mapping[Place, int]) -> list[Place]:
        """Learn below which offsets readers see; return what of it is hidden at the 2nd, 4th, 8th … look."""
        self.places = {place: at for place, at in self.places.items() if at >= ends.get(place, at)}
        before, self._doubted = self._doubted, {}
        for place, at in self.places.items():
            known_at, looks = before.get(place, (at, 0))
            self._doubted[place] = at, (looks if known_at == at else 0) + (place in ends)
        hidden = {place: looks for place, (_, looks) in self._doubted.items() if place in ends}
        return [place for place, looks in hidden.items() if looks > 1 and looks.bit_count() == 1]
