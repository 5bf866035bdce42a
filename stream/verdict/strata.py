"""Core. Strata: the time that two versions served together, cut where both have sums, and what each lost there.

The buckets of a version get coarser with age, by its own newest row: so two are cut at the edges that both have. A
stretch in which one of them began to serve, or ended, holds time of the other alone: it is left out. So is a long
one in which the candidate had another share of the labels than it has had since: its share was moved within it,
and if the world moved as well the two were not asked the same (Simpson 1951).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf, log, sqrt
from typing import Final, NamedTuple

from stream.events import ALL
from stream.figures.sums import LOST, OUTCOMES, SQUARE
from stream.figures.windows import Held
from stream.version import OTHER, Version

LONG_S: Final = 1_800.0
"""Seconds; in a longer stretch the world may change, and nothing says where in it the labels of each lie."""
EVEN: Final = 1.25
"""Times that the odds of a label to be the candidate's may differ from those since."""
SURE: Final = 2.0
"""Standard errors of these."""
OLD: Final = 0.75
"""The part of a stretch that is old enough for its labels, at least."""
SPREADS: Final = 5.0
"""Standard deviations of label delays."""
YOUNG_S: Final = 43_200.0
"""Seconds after which a stretch is old enough at the latest: further back the next one lasts half a week."""


class Lost(NamedTuple):
    """Labels of one version, the sum of their losses, and of the squares of these."""

    labels: float
    total: float
    squares: float


class Stratum(NamedTuple):
    """What the candidate and the other version lost in the same time, in one slice."""

    ours: Lost
    others: Lost


class Stretch(NamedTuple):
    """A time that both versions are cut at, and the cells that each has of it."""

    since_at: float
    until_at: float
    ours: Sequence[Sequence[float]]
    others: Sequence[Sequence[float]]


class Shared(NamedTuple):
    """A candidate and another version, and the ``stretches`` that both served, newest first.

    ``uneven_s`` seconds more were served by both, but not with an even share.
    """

    ours: Version
    others: Version
    stretches: Sequence[Stretch]
    uneven_s: float

    def rows(self, name: str) -> list[Stratum]:
        """Return what a slice lost in each stretch, also where a version has no labels."""
        return [
            Stratum(_lost(self.ours, name, one.ours), _lost(self.others, name, one.others))
            for one in self.stretches
        ]

    def strata(self, name: str = ALL) -> list[Stratum]:
        """Return the strata of a slice."""
        return [*told(self.rows(name))]

    def slices(self) -> list[str]:
        """Return the slices of either, without ``all``, and without those that one of them may have in an "other".

        What an "other" holds are the values that its version met last: another version's holds others.
        """
        names = {*self.ours.series, *self.others.series} - {ALL, OTHER}
        return sorted(
            one
            for one in names
            if not one.endswith(f"={OTHER}")
            and all(one in side.series or not _has_other(side, one) for side in (self.ours, self.others))
        )

    def has_other(self, name: str) -> bool:
        """Return whether either may have values of a slice in an "other"."""
        return _has_other(self.ours, name) or _has_other(self.others, name)


def _has_other(version: Version, name: str) -> bool:
    """Return whether the version may have values of a slice (its name, or one of them) in an "other"."""
    return OTHER in version.series or f"{name.partition('=')[0]}={OTHER}" in version.series


def told(rows: Iterable[Stratum]) -> Iterator[Stratum]:
    """Yield those in which both versions have labels: the others say nothing."""
    return (one for one in rows if one.ours.labels > 0.0 and one.others.labels > 0.0)


def shared(ours: Version, others: Version) -> Shared:
    """Return what both versions served at the same time."""
    both = _both(ours, others)
    even = [*_even(ours, others, both)]
    return Shared(ours, others, even, _lasted_s(both) - _lasted_s(even))


def _lasted_s(stretches: Iterable[Stretch]) -> float:
    return sum(one.until_at - one.since_at for one in stretches)


def _both(ours: Version, others: Version) -> list[Stretch]:
    """Return the stretches that lie wholly within the service of both and have their labels, newest first."""
    for one in (ours, others):
        one.sums.settle()
    held = [*ours.sums.windows.held()], [*others.sums.windows.held()]
    if not all(held):
        return []
    begun = max(_first(ours, held[0]), _first(others, held[1]))
    ended, newest = sorted(one[0].until_at for one in held)
    labelled_until = newest - min(max(_young_s(ours), _young_s(others)), YOUNG_S)
    return [
        one
        for one in _cut(*held)
        if one.since_at > begun
        and (one.until_at <= ended or (one.since_at < ended and one.until_at >= newest))
        and one.since_at + OLD * (one.until_at - one.since_at) <= labelled_until
    ]


def _young_s(version: Version) -> float:
    """Return for how long before the newest prediction with a label many others have none yet.

    A mean delay and its standard deviation: then 86 % of exponential delays are over. But where all take as long
    none is missing: five standard deviations are enough.
    """
    mean, spread = version.delays(max(version.series[ALL].outcomes, 1))
    return min(max(mean, 0.0) + spread, SPREADS * spread)


def _first(version: Version, held: Iterable[Held]) -> float:
    """Return when the oldest bucket with labels begins; inf without any."""
    has = (one.since_at for one in held if _lost(version, ALL, [one.cells]).labels > 0.0)
    return min(has, default=inf)


def _cut(ours: Sequence[Held], others: Sequence[Held]) -> Iterator[Stretch]:
    """Yield the stretches between edges of both, newest first; after its newest row a version is cut anywhere."""
    sides = [(one[0].until_at, {edge for held in one for edge in held[:2]}) for one in (ours, others)]
    every = sorted(sides[0][1] | sides[1][1])
    edges = [edge for edge in every if all(edge > until_at or edge in has for until_at, has in sides)]
    cells: list[tuple[list[Sequence[float]], list[Sequence[float]]]] = [([], []) for _ in edges]
    for number, side in enumerate((ours, others)):
        for one in side:
            cells[bisect_right(edges, one.since_at) - 1][number].append(one.cells)
    for (since, until), of in reversed([*zip(pairwise(edges), cells, strict=False)]):
        yield Stretch(since, until, *of)


def _even(ours: Version, others: Version, stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yield the stretches, newest first, in which the share of labels was that since, as far as one can tell."""
    mine = theirs = 0.0
    for one in stretches:
        here, there = _lost(ours, ALL, one.ours).labels, _lost(others, ALL, one.others).labels
        off = noise = 0.0
        if one.until_at - one.since_at > LONG_S and min(here, there, mine, theirs) > 0.0:
            off = abs(log(here * theirs / (there * mine)))
            noise = SURE * sqrt(1.0 / here + 1.0 / there + 1.0 / mine + 1.0 / theirs)
        if off <= log(EVEN) + noise:
            yield one
        mine, theirs = mine + here, theirs + there


def _lost(version: Version, name: str, cells: Iterable[Sequence[float]]) -> Lost:
    """Return what a slice lost in these cells."""
    series = version.series.get(name)
    if series is None:
        return Lost(0.0, 0.0, 0.0)
    # a loss of 0 or 1 is its own square; the sum of absolute errors is where the lost are counted
    place, square = series.place, LOST if version.task == "classification" else SQUARE
    labels = total = squares = 0.0
    for one in cells:
        if len(one) > place + square:
            labels += one[place + OUTCOMES]
            total += one[place + LOST]
            squares += one[place + square]
    return Lost(labels, total, squares)
