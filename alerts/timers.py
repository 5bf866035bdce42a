"""Core. Which incidents change by the mere passing of time, and when."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush


class Timers:
    """Instants in epoch seconds with the names that ripen then. Derived from the incidents, so never saved."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    def set(self, name: str, at: float | None) -> None:
        """Remember that ``name`` ripens ``at``; ``None``: not at all. What was set before may come up, too."""
        if at is not None:
            heappush(self._heap, (at, name))

    def take(self, now: float) -> Iterator[tuple[float, str]]:
        """Yield what ripens until ``now`` in the order of its instants, also what is set meanwhile."""
        while self._heap and self._heap[0][0] <= now:
            yield heappop(self._heap)
