"""Core. What is remembered of one series' recent losses: enough for before, after and since when.

A history is a short row of buckets, oldest first; when it is full, the two neighbours that are shortest beside
their age are merged, so that a border is never far from any instant, measured by how long ago that is, however
long a series lives. All numbers are sums, so any split is exact at bucket borders.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate
from math import inf
from operator import add, truediv
from typing import NamedTuple

BUCKETS = 32
BUCKET_LOSSES = 8
CELLS = 3
"""A bucket is three doubles: when it began, how many losses, their sum."""
KEPT = BUCKETS // 4
"""Newest whole buckets that are left alone."""
_OLD = slice(CELLS * (BUCKETS - KEPT) + 1, None, -CELLS)
"""The counts of all others in a history that is one too long, from the newest to the oldest."""
_NEWEST = float(KEPT * BUCKET_LOSSES)
ROUNDING = 1e-9
"""Of a loss, by which sums that it was put into and taken out of may be off."""


class Span(NamedTuple):
    """Losses of a stretch of time: how many, their sum, and when it began. Empty: ``losses`` 0, ``mean`` nan."""

    losses: int
    total: float
    began_at: float

    @property
    def mean(self) -> float:
        """Mean loss; nan when there is none."""
        return self.total / self.losses if self.losses else float("nan")


class Bucket(NamedTuple):
    """One bucket of a history."""

    began_at: float
    losses: float
    total: float


class History:
    """At most ``BUCKETS`` buckets in one flat array of doubles: a series costs bytes here, not objects."""

    __slots__ = ("cells",)

    def __init__(self, cells: bytes = b"") -> None:
        self.cells = array("d", cells)

    def add(self, at: float, loss: float) -> None:
        """Append one loss in arrival order."""
        cells = self.cells
        if cells and cells[-2] < BUCKET_LOSSES:
            cells[-2] += 1.0
            cells[-1] += loss
            return
        cells.extend((max(at, cells[-CELLS]) if cells else at, 1.0, loss))
        if len(cells) > CELLS * BUCKETS:
            self._merge()

    def revise(self, at: float, was: float, now: float, most: float) -> None:
        """Put one loss in the place of another, which came with event time ``at``."""
        self._replace(at, was, now, 0.0, most)

    def withdraw(self, at: float, loss: float, most: float) -> None:
        """Take out a loss that came with event time ``at``; a bucket that is empty then keeps its border."""
        self._replace(at, loss, 0.0, -1.0, most)

    def _replace(self, at: float, was: float, now: float, losses: float, most: float) -> None:
        """Change the bucket of ``at``, or the next one, or else the nearest before, that can have had this loss.

        A late loss lies in a later bucket than its time says. A bucket's mean stays within 0 and ``most``. What no
        bucket can have had was cut (below), and its bucket's mean is taken for it.
        """
        cells = self.cells
        near = CELLS * max(bisect_right(cells[::CELLS], at) - 1, 0)
        places = (*range(near, len(cells), CELLS), *range(near - CELLS, -1, -CELLS))
        filled = [place for place in places if cells[place + 1]]
        for place in filled:
            rest, left = cells[place + 2] - was + now, cells[place + 1] + losses
            slack = ROUNDING * (was + now)
            if -slack <= rest - now and rest <= most * left + slack:
                break
        else:
            if not filled:
                return
            place = filled[0]
            left = cells[place + 1] + losses
            rest = cells[place + 2] * (1.0 - 1.0 / cells[place + 1]) + now
        cells[place + 1], cells[place + 2] = left, max(rest, 0.0) if left else 0.0

    def cut(self, mean: float) -> None:
        """Cut each bucket's mean loss at ``mean``: broken values among the first hide no onset later."""
        cells = self.cells
        for place in range(0, len(cells), CELLS):
            cells[place + 2] = min(cells[place + 2], cells[place + 1] * mean)

    def _merge(self) -> None:
        """Merge the neighbours that are shortest beside their age, keeping the newest quarter fine."""
        cells = self.cells
        counts = cells[_OLD]
        lengths = [*map(truediv, map(add, counts, counts[1:]), accumulate(counts, initial=_NEWEST))]
        gone = CELLS * (len(lengths) - lengths.index(min(lengths)))
        cells[gone - 2] += cells[gone + 1]
        cells[gone - 1] += cells[gone + 2]
        del cells[gone : gone + CELLS]

    def buckets(self) -> Iterator[Bucket]:
        """Yield the buckets, oldest first."""
        cells = self.cells
        return map(Bucket, cells[::CELLS], cells[1::CELLS], cells[2::CELLS])

    def newest(self, count: int) -> Span:
        """Return the newest buckets that hold at least ``count`` losses, or all there are."""
        taken, total, began_at = 0, 0.0, float("nan")
        for bucket in reversed([*self.buckets()]):
            taken, total, began_at = taken + int(bucket.losses), total + bucket.total, bucket.began_at
            if taken >= count:
                break
        return Span(taken, total, began_at)

    def since(self, at: float) -> Span:
        """Return the losses since about ``at``: of buckets that lie there by more than half of their time."""
        buckets, first = [*self.buckets()], self._split(at)
        return _span(buckets[first:])

    def before(self, at: float) -> Span:
        """Return the losses before about ``at``: all that ``since`` leaves."""
        buckets, first = [*self.buckets()], self._split(at)
        return _span(buckets[:first])

    def border_after(self, at: float) -> float:
        """Return when the first bucket began that began after ``at``; infinite without one."""
        return next((one for one in self.cells[::CELLS] if one > at), inf)

    def _split(self, at: float) -> int:
        """Return which bucket border is nearest in time to ``at``."""
        began = self.cells[::CELLS]
        following = bisect_left(began, at)
        if 0 < following < len(began) and at - began[following - 1] < began[following] - at:
            return following - 1
        return following


def _span(buckets: list[Bucket]) -> Span:
    began_at = buckets[0].began_at if buckets else float("nan")
    return Span(int(sum(b.losses for b in buckets)), sum(b.total for b in buckets), began_at)
