"""Core. How a model's losses go round with the hour of the week, so that a usual evening is no harm.

Cohorts of predictions (``stream.maturity``) that are too old for labels are summed by hour of the week, the newest
week with a weight of ``NEWEST``. What is usual since an onset is the mean loss of the same hours before it over
that of the median day: a ratio, so that a level that has changed for good is not usual, however long ago.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final, NamedTuple

from stream.traffic import DAY_H, HOUR_S, WEEK_H

KEPT: Final = 2 / 3
"""What an hour keeps when its next week comes."""
WEIGHT: Final = 100.0
"""Losses of the mean that an hour's own ones are put beside: few say little."""
WIDEST: Final = 10.0
"""An hour's mean loss counts as at most this many times the median hour's: broken values are no cycle."""
FIRST_DAY, FIRST_WEEK = 1.0, 0.5
"""The least relative rise worth a page at hours of the day, and of the week, that were never seen before."""
NEAR: Final = 300
"""Losses just before an onset that say what is usual when its hour of the day was never seen: losses go round
slowly, and harm often comes at once."""


class Count(NamedTuple):
    """Losses of a cohort: when its predictions begin (epoch seconds), how many, and their sum."""

    began_at: float
    losses: float
    total: float


class Rise(NamedTuple):
    """What a rise is held against: the reference's mean times ``factor`` (>= 1), and ``least`` more than that.

    ``is_known``: these hours of the day were seen before, or the rise has lasted for a day. ``early`` is what of
    the factor is due to how soon after predictions labels come.
    """

    factor: float
    least: float
    is_known: bool = True
    early: float = 1.0

    def times(self, early: float) -> Rise:
        """Return it where so many times as much is usual of labels that come so early."""
        return self._replace(factor=self.factor * early, early=early)


class Cycle:
    """Losses and their sums by hour of the week, in one flat array; empty until the first cohort."""

    __slots__ = ("cells",)

    def __init__(self, cells: bytes = b"") -> None:
        self.cells = array("f", cells)

    def learn(self, one: Count, width_s: float) -> None:
        """Take a cohort of so many seconds: what is longer than an hour is spread over its hours."""
        if not one.losses:
            return
        if not self.cells:
            self.cells = array("f", bytes(4 * 2 * WEEK_H))
        hours = max(round(width_s / HOUR_S), 1)
        for number in range(hours):
            place = 2 * hour_of(one.began_at + number * HOUR_S)
            self.cells[place] = KEPT * self.cells[place] + one.losses / hours
            self.cells[place + 1] = KEPT * self.cells[place + 1] + one.total / hours

    def rise(self, newest: Iterable[Count], width_s: float, since: float, known: float, least: float) -> Rise:
        """Return what is usual at the hours since an onset.

        ``newest`` are the cohorts that were not learned yet, those since the onset among them; ``known`` is the
        reference's mean loss, nan without one. ``least`` is the relative rise worth a page at hours seen before.
        """
        before: list[Count] = []
        after: list[Count] = []
        for one in sorted(newest):
            (after if one.began_at + width_s > since else before).append(one)
        week = self._week(before)
        if not after or not week.total:
            return Rise(1.0, least)
        lasted_s = after[-1].began_at + width_s - since
        if not all(week.has_day(one) for one in after) and lasted_s < DAY_H * HOUR_S:
            factor = _near(before) / known if known > 0.0 else 1.0
            return Rise(max(factor, 1.0), max(least, FIRST_DAY), is_known=False)
        is_week = all(week.has(one) for one in after) or lasted_s >= WEEK_H * HOUR_S
        return Rise(week.factor(after), least if is_week else max(least, FIRST_WEEK))

    def _week(self, before: Iterable[Count]) -> Week:
        losses = [*self.cells[::2]] or [0.0] * WEEK_H
        totals = [*self.cells[1::2]] or [0.0] * WEEK_H
        for one in before:
            losses[hour_of(one.began_at)] += one.losses
            totals[hour_of(one.began_at)] += one.total
        most = WIDEST * _median(losses, totals)
        return Week(
            losses, [min(total, most * count or total) for count, total in zip(losses, totals, strict=True)]
        )


class Week(NamedTuple):
    """Losses and their sums by hour of the week."""

    losses: list[float]
    totals: list[float]

    @property
    def total(self) -> float:
        """Return the sum of all losses."""
        return sum(self.totals)

    def has(self, one: Count) -> bool:
        """Return whether this hour of the week was seen."""
        return self.losses[hour_of(one.began_at)] > 0.0

    def has_day(self, one: Count) -> bool:
        """Return whether this hour of the day was seen on some day."""
        return any(self.losses[hour_of(one.began_at) % DAY_H :: DAY_H])

    def factor(self, after: Iterable[Count]) -> float:
        """Return what is usual at these hours beside all hours of the median day, which no weekend moves; >= 1.

        An hour of the week with few losses is taken to be its hour of the day times its day of the week.
        """
        mean = self.total / sum(self.losses)
        by_hour = [_shrunk(self.losses[hour::DAY_H], self.totals[hour::DAY_H], mean) for hour in range(DAY_H)]
        by_day = [self._of_day(day, by_hour, mean) for day in range(WEEK_H // DAY_H)]
        seen = [
            ratio for day, ratio in enumerate(by_day) if any(self.losses[day * DAY_H : (day + 1) * DAY_H])
        ]
        expected = losses = 0.0
        for one in after:
            hour = hour_of(one.began_at)
            usual = by_hour[hour % DAY_H] * by_day[hour // DAY_H]
            expected += one.losses * _shrunk(
                self.losses[hour : hour + 1], self.totals[hour : hour + 1], usual
            )
            losses += one.losses
        return max(expected / losses / (mean * median(seen)), 1.0)

    def _of_day(self, day: int, by_hour: Sequence[float], mean: float) -> float:
        """Return how many times its hours' usual losses a day of the week has: also for a day seen in part."""
        hours = slice(day * DAY_H, (day + 1) * DAY_H)
        usual = sum(count * rate for count, rate in zip(self.losses[hours], by_hour, strict=True))
        return (sum(self.totals[hours]) + WEIGHT * mean) / (usual + WEIGHT * mean)


def _shrunk(losses: Sequence[float], totals: Sequence[float], mean: float) -> float:
    """Return the mean loss as if ``WEIGHT`` losses of this mean were among them."""
    return (sum(totals) + WEIGHT * mean) / (sum(losses) + WEIGHT)


def _near(before: Sequence[Count]) -> float:
    """Return the mean of the newest cohorts that hold ``NEAR`` losses, or of all; at least one has some."""
    losses = total = 0.0
    for one in reversed(before):
        losses, total = losses + one.losses, total + one.total
        if losses >= NEAR:
            break
    return total / losses


def hour_of(at: float) -> int:
    """Return the hour of the week (0..167) of an instant."""
    return int(at // HOUR_S) % WEEK_H


def _median(losses: list[float], totals: list[float]) -> float:
    means = [total / count for count, total in zip(losses, totals, strict=True) if count]
    return median(means) if means else 0.0
