"""Shell. Figures of the first of many rows in some order, for a scrape; events go on while they are made."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from heapq import nsmallest
from typing import Any, Generic, TypeVar

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.engine.slices import Slices

REST = 2.0
"""A scrape can wait, events can't: figures are made in a third of the process's time."""
PART = 500
"""New rows that are put in order at one go."""

Row = TypeVar("Row")


class Shown(Collector):
    """Metrics that are costly to make: ``collect`` returns what the last ``refresh`` found."""

    shown: Sequence[Metric]

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the families exist only while there are models."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return what the last ``refresh`` found; without one, empty families."""
        return self.shown

    @abstractmethod
    async def refresh(self) -> None:
        """Make them anew, and give the event loop back every few milliseconds."""


class Ranked(Shown, Generic[Row]):
    """Shows at most ``budget`` rows: what the last ``refresh`` found; without one, empty families.

    ``groups`` returns all, a few at a time, or none: what they are of may change between two of its steps.
    """

    def __init__(self, groups: Callable[[], Iterable[Iterable[Row]]], budget: int) -> None:
        self._groups = groups
        self._budget = budget
        self.shown = self.metrics((), 0)

    @abstractmethod
    def rank(self, row: Row) -> Any:
        """Return what rows are ordered by, the first to be shown have the least."""

    def is_known(self, row: Row) -> bool:
        """Return whether there is anything to show of a row."""
        return True

    @abstractmethod
    def metrics(self, rows: Sequence[Row], dropped: int) -> Sequence[Metric]:
        """Return the families of these rows, when so many others are not shown."""

    async def refresh(self) -> None:
        """Look through all rows anew, and give the event loop back every few milliseconds."""
        slices, best, new, seen = Slices(REST), list[Row](), list[Row](), 0
        for group in self._groups():
            known = [row for row in group if self.is_known(row)]
            seen += len(known)
            if len(best) == self._budget:
                last = self.rank(best[-1])
                known = [row for row in known if self.rank(row) < last]
            new += known
            if len(new) >= PART:
                best, new = nsmallest(self._budget, [*best, *new], self.rank), []
            await slices.pause()
        best = nsmallest(self._budget, [*best, *new], self.rank)
        self.shown = self.metrics(best, seen - len(best))
