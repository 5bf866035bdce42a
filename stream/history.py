"""Core. What is remembered of one series' recent losses: enough for before, after and since when.

A history is a short list of buckets, oldest first; when it is full, the two oldest neighbours of least weight
are merged, so old times are coarse and new ones fine. All numbers are sums, so any split is exact at bucket
borders.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

BUCKETS = 32
BUCKET_LOSSES = 16


class Span(NamedTuple):
    """Losses of a stretch of time: how many, their sum, and when it began. Empty: ``losses`` 0, ``mean`` nan."""

    losses: int
    total: float
    began_at: float

    @property
    def mean(self) -> float:
        """Mean loss; nan when there is none."""
        return self.total / self.losses if self.losses else float("nan")


class History:
    """Buckets of ``[began_at, count, total]``, oldest first; at most ``BUCKETS`` of them."""

    __slots__ = ("buckets",)

    def __init__(self) -> None:
        self.buckets: list[list[float]] = []

    def add(self, at: float, loss: float) -> None:
        """Append one loss in arrival order."""
        buckets = self.buckets
        if buckets and buckets[-1][1] < BUCKET_LOSSES:
            buckets[-1][1] += 1
            buckets[-1][2] += loss
            return
        buckets.append([at, 1, loss])
        if len(buckets) > BUCKETS:
            self._merge()

    def _merge(self) -> None:
        """Merge the first neighbours whose joint weight is least, keeping the newest quarter fine."""
        buckets = self.buckets
        old = range(len(buckets) * 3 // 4)
        first = min(old, key=lambda i: (buckets[i][1] + buckets[i + 1][1]) * (i + 1))
        gone = buckets.pop(first + 1)
        buckets[first][1] += gone[1]
        buckets[first][2] += gone[2]

    def newest(self, count: int) -> Span:
        """Return the newest buckets that hold at least ``count`` losses, or all there are."""
        taken, total, began_at = 0, 0.0, float("nan")
        for began, number, summed in reversed(self.buckets):
            taken, total, began_at = taken + int(number), total + summed, began
            if taken >= count:
                break
        return Span(taken, total, began_at)

    def onset(self, count: int) -> float:
        """Return when the level changed within the newest ``count`` losses or so; nan when empty.

        The border between two buckets that leaves the least squared error around the two means, which is where
        ``n_a n_b (mean_a - mean_b)^2`` is greatest; for one change it is the maximum-likelihood estimate.
        """
        newest = [b for b in self.buckets if b[0] >= self.newest(count).began_at]
        number, total = sum(b[1] for b in newest), sum(b[2] for b in newest)
        best, onset_at = -1.0, newest[0][0] if newest else float("nan")
        seen = summed = 0.0
        for bucket, following in pairwise(newest):
            seen, summed = seen + bucket[1], summed + bucket[2]
            gap = (total - summed) / (number - seen) - summed / seen
            score = seen * (number - seen) * gap * gap
            if score > best:
                best, onset_at = score, following[0]
        return onset_at

    def since(self, at: float) -> Span:
        """Return the losses in buckets that began at ``at`` or later."""
        return _span([bucket for bucket in self.buckets if bucket[0] >= at])

    def before(self, at: float) -> Span:
        """Return the losses in buckets that began earlier than ``at``."""
        return _span([bucket for bucket in self.buckets if bucket[0] < at])


def _span(buckets: list[list[float]]) -> Span:
    began_at = buckets[0][0] if buckets else float("nan")
    return Span(int(sum(b[1] for b in buckets)), sum(b[2] for b in buckets), began_at)
