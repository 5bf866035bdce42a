"""Core. How labels, and the losses among them, come with the age of predictions: is one sooner than the other?

Where a click is known at once and no click after a day, the labels of a new version's first day are all wrong, and
so are those after a pause of all predictions. What comes at a time is then no fair sample of what was predicted,
but how far it is from one follows from when predictions were made and from how both come with their age: the chain
ladder of insurers (Mack 1993), of labels and of losses.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import log2, nan, sqrt
from typing import Final, NamedTuple

from stream.events import Task

DELAYS: Final = 40
"""Counts of label delays below 1, 2, 4, ... seconds; no two event times lie further apart."""
FINE: Final = 4
"""Places for each doubling of a delay; the first is below 0.19 s."""
LAST: Final = DELAYS * FINE
MANY: Final = 65_536
"""Labels of one place beyond which the past counts half."""
APART: Final = 0.2
"""The share by which losses must be ahead of the other labels, or behind, at some age, to count as uneven."""
SURE: Final = 2.5
"""And the standard errors of two samples (Smirnov 1939): one chance in 100,000."""
NEARLY: Final = 0.95
"""Of the slower ones of the two, that have come when labels are a fair sample;"""
SLACK: Final = 1.5
"""and how many times as long they take until that is known: of the first slow ones few are enough for nothing."""


class Pattern(NamedTuple):
    """How predictions are labelled: the share in the end, and how many delays are below 0, 1, 2, 4, ... s."""

    final: float
    arrived: list[int]

    def usual(self, age_s: float) -> float:
        """Return the share labelled at this age, evenly within a power of two; nan when nothing is known."""
        if age_s <= 0.0:
            return 0.0
        arrived, age = self.arrived, int(age_s)
        place = min(age.bit_length(), DELAYS - 1)
        low = 1 << place >> 1
        within = min((age_s - low) / (low or 1), 1.0)
        came = arrived[place] + within * (arrived[place + 1] - arrived[place])
        return self.final * came / arrived[-1] if arrived[-1] else nan

    def is_open(self, age_s: float) -> bool:
        """Return whether predictions of this age may still get labels."""
        return age_s <= 0.0 or self.arrived[min(int(age_s).bit_length() + 1, DELAYS)] < self.arrived[-1]


class Made(NamedTuple):
    """Predictions that were made evenly between two event times (epoch seconds)."""

    since: float
    until: float
    predictions: float


CELLS: Final = 3
"""A place has labels, the sum of how far they lie within it (0..1), and the losses as shares of a large one."""


class Early(NamedTuple):
    """The mean loss of what comes at a time, and of all in the end, as shares of a large one."""

    mean: float
    usual: float

    @property
    def ratio(self) -> float:
        """How many times the usual mean the one of that time is, at least 1."""
        return max(self.mean / self.usual, 1.0)

    def factor(self, task: Task, known: float) -> float:
        """Return how many times a mean error of ``known`` is usual at that time, at least 1.

        Shares of wrong ones go by their odds: no more than all of the early ones are wrong.
        """
        if self.ratio == 1.0 or task == "regression" or not 0.0 < known < 1.0:
            return self.ratio
        odds = self.mean * (1.0 - self.usual) * known
        return odds / (odds + (1.0 - self.mean) * self.usual * (1.0 - known)) / known


EVEN: Final = Early(1.0, 1.0)


class Development:
    """Labels by their delay, and the losses among them, in one flat array."""

    __slots__ = ("cells",)

    def __init__(self, cells: bytes = b"") -> None:
        self.cells = array("f", cells)

    def take(self, delay_s: float, loss: float, scale: float) -> None:
        """Count a label, and its loss as a share of a large one, ``scale``; nothing while that is 0, not known."""
        if not scale:
            return
        cells, way = self.cells, FINE * log2(1.0 + delay_s) if delay_s > 0.0 else 0.0
        place = min(int(way), LAST)
        cell = CELLS * place
        if cell >= len(cells):
            cells.extend((0.0,) * (cell + CELLS - len(cells)))
        cells[cell] += 1.0
        cells[cell + 1] += way - place
        cells[cell + 2] += loss / scale if loss < scale else 1.0
        if cells[cell] > MANY:
            self.cells = array("f", (one / 2.0 for one in cells))

    def settled_s(self) -> float:
        """Return after how many seconds labels are a fair sample for certain; 0 where losses come as others do."""
        lost, kept = self._apart()
        return SLACK * max(_age(lost), _age(kept)) if _is_uneven(lost, kept) else 0.0

    def early(self, made: Iterable[Made], since: Sequence[float], now: float) -> list[Early]:
        """Return, for each ``since``, the mean loss of what comes from then until ``now``, and of all in the end.

        ``made`` are all predictions whose labels are looked at. Both are alike where losses come as soon as other
        labels do, and where no label is expected.
        """
        if not _is_uneven(*self._apart()):
            return [EVEN] * len(since)
        labels, ways, lost = (self.cells[one::CELLS] for one in range(CELLS))
        means = [way / each if each else 0.5 for each, way in zip(labels, ways, strict=True)]
        places = [_Place(*one) for one in enumerate(means)]
        all_, some, known = _Curve(labels, places), _Curve(lost, places), [*made]
        return [_early(all_, some, known, one, now) for one in since]

    def _apart(self) -> tuple[list[float], list[float]]:
        """Return how many losses, and how many other labels, have come by each place, and in the end."""
        labels, lost = self.cells[::CELLS], self.cells[2::CELLS]
        kept = (max(each - some, 0.0) for each, some in zip(labels, lost, strict=True))
        return [*accumulate(lost, initial=0.0)], [*accumulate(kept, initial=0.0)]


def _is_uneven(lost: Sequence[float], kept: Sequence[float]) -> bool:
    """Return whether what has come by each place is so far apart that losses come sooner or later."""
    losses, others = lost[-1], kept[-1]
    if not (losses > 0.0 and others > 0.0):
        return False
    apart = max(abs(one / losses - other / others) for one, other in zip(lost, kept, strict=True))
    return apart > max(APART, SURE * sqrt(1.0 / losses + 1.0 / others))


def _age(reached: Sequence[float]) -> float:
    """Return the age by which nearly all have come at the latest, seconds."""
    return _delay(next(place for place, one in enumerate(reached) if one >= NEARLY * reached[-1]))


def _early(labels: _Curve, lost: _Curve, made: Iterable[Made], since: float, now: float) -> Early:
    came = losses = 0.0
    settled = since - labels.longest
    for one in made:
        until = min(one.until, now)
        if until > max(one.since, settled):
            each = one.predictions / (one.until - one.since)
            came += each * labels.came(one.since, until, since, now)
            losses += each * lost.came(one.since, until, since, now)
    return Early(losses / came, lost.total / labels.total) if came > 0.0 else EVEN


class _Place:
    """Delays (seconds) of one place: it begins and ends at some, and its labels lie evenly about their mean."""

    __slots__ = ("begin", "end", "half", "mean")

    def __init__(self, number: int, way: float) -> None:
        self.begin, self.mean, self.end = _delay(number), _delay(number + way), _delay(number + 1)
        self.half = min(self.mean - self.begin, self.end - self.mean)

    def area(self, low: float, high: float, age_s: float) -> float:
        """Return the integral, from its begin to this age, of what came: from ``low`` on, then up to ``high``."""
        over = age_s - self.mean
        if over >= self.half:
            more = over
        elif over <= -self.half:
            more = 0.0
        else:
            more = (over + self.half) ** 2 / (4.0 * self.half)
        return low * (age_s - self.begin) + (high - low) * more


class _Curve:
    """How much has come by an age."""

    __slots__ = ("_area", "_places", "_reached")

    def __init__(self, counts: Sequence[float], places: Sequence[_Place]) -> None:
        self._places, self._reached = places, [*accumulate(counts, initial=0.0)]
        areas = (
            one.area(low, high, one.end)
            for one, (low, high) in zip(places, pairwise(self._reached), strict=True)
        )
        self._area = [*accumulate(areas, initial=0.0)]

    @property
    def total(self) -> float:
        """What has come in the end."""
        return self._reached[-1]

    @property
    def longest(self) -> float:
        """The delay (seconds) that all are below."""
        return _delay(len(self._places))

    def came(self, first: float, last: float, since: float, until: float) -> float:
        """Return what came from ``since`` to ``until`` of predictions from ``first`` to ``last``, one a second."""
        new, old = self._until(until - first), self._until(since - first)
        return new - self._until(until - last) - (old - self._until(since - last))

    def _until(self, age_s: float) -> float:
        """Return the integral of what has come over all ages up to this one."""
        if age_s <= 0.0:
            return 0.0
        number, places = int(FINE * log2(1.0 + age_s)), self._places
        if number >= len(places):
            return self._area[-1] + self.total * (age_s - _delay(len(places)))
        return self._area[number] + places[number].area(
            self._reached[number], self._reached[number + 1], age_s
        )


def _delay(way: float) -> float:
    """Return the delay (seconds) that lies so many places far."""
    return float(2.0 ** (way / FINE) - 1.0)
