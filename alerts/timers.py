"""Core. Which incidents change by the mere passing of time, and when."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush


class Timers:
    """Instants in epoch seconds with the names that ripen then. Derived from the incidents, so never saved."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._set: dict[str, float] = {}

    def set(self, name: str, at: float | None) -> None:
        """Let ``name`` ripen ``at``, and at no other instant; ``None``: not at all."""
        if at is None:
            self._set.pop(name, None)
        elif self._set.get(name) != at:
            self._set[name] = at
            heappush(self._heap, (at, name))

    def take(self, now: float) -> Iterator[str]:
        """Yield what ripens until ``now`` in the order of its instants, also what is set meanwhile."""
        while self._heap and self._heap[0][0] <= now:
            at, name = heappop(self._heap)
            if self._set.get(name) == at:
                del self._set[name]
                yield name
