"""Core. How much more a candidate loses than another version, within bounds that hold at all times at once.

In each stratum ``w = n_c n_o / (n_c + n_o)`` weighs the difference of the mean losses (Mantel and Haenszel 1959).
Both were asked at the same time there, so neither a share of traffic that moves nor a world that does looks like
one. With ``p`` the candidate's share of the stratum, ``U = sum w d`` is the sum of ``(1 - p) x`` over its losses
less that of ``p x`` over the other's: a martingale while both lose alike, and its variance ``V`` that of its
terms.

The bounds are a confidence sequence by Robbins' normal mixture (1970), in time ``t = sum w``:

    |U / t - true|  <  sqrt(V / t^2 (1 + 1 / r t) log((1 + r t) / alpha^2))      for all t at once, with 1 - alpha

For normal sums of known variance that is exact, however often one looks and whenever one stops. Losses are not
normal and ``V`` is estimated, so here it is asymptotic (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024; the
boundary: Howard, Ramdas, McAuliffe and Sekhon 2021): hence ``is_fit``; ``bench.detection.verdicts`` measures the
rest. Losses that depend on each other widen ``V`` by their inflation (``stream.judge.level``), which is no theorem
either.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log, log1p, nan, sqrt
from typing import Final, NamedTuple

from msgspec import Struct

from stream.verdict.strata import Lost, Stratum

TUNED: Final = 1_000.0
"""The time at which the bounds are narrowest: 4,000 labels shared evenly, or 1,010 of a candidate with 1 %."""
LABELS, ERRORS = 50.0, 10.0
"""Independent labels of each version, and errors that each has or must expect, before anything is said."""


class Interval(Struct, frozen=True):
    """A value and its bounds; all nan while nothing is known."""

    value: float = nan
    lower: float = nan
    upper: float = nan


UNKNOWN: Final = Interval()


class Arm(NamedTuple):
    """One version: its labels, its mean loss and the variance of that.

    ``usual`` is the variance if its losses were spread as those of both; ``errors`` how many equal ones weigh as
    much.
    """

    labels: float
    mean: float
    variance: float
    usual: float
    errors: float


class Pair(NamedTuple):
    """Both versions over all strata; ``time`` is 0 without any. ``inflation`` is in the variances already."""

    time: float
    ours: Arm
    others: Arm
    inflation: float

    @property
    def has_labels(self) -> bool:
        """Whether both have enough labels."""
        return min(self.ours.labels, self.others.labels) >= LABELS * self.inflation

    @property
    def is_fit(self) -> bool:
        """Whether there is enough for the normal approximation.

        A version that makes no errors must expect some: by its share of the labels.
        """
        rate = (self.ours.errors + self.others.errors) / max(self.ours.labels + self.others.labels, 1.0)
        fewest = min(max(one.errors, rate * one.labels) for one in (self.ours, self.others))
        return self.has_labels and fewest >= ERRORS * self.inflation

    def excess(self, alpha: float, factor: float = 1.0) -> Interval:
        """Return the candidate's mean loss less ``factor`` times the other's; its bounds hold with ``1 - alpha``.

        The variance is the greater of two: by the losses of each, which is right where one scatters more, and by
        those of both, without which a version that has made no error yet were sure never to make one.
        """
        square = factor * factor
        own = self.ours.variance + square * self.others.variance
        usual = self.ours.usual + square * self.others.usual
        return self._within(self.ours.mean - factor * self.others.mean, max(own, usual), alpha)

    def of(self, arm: Arm, alpha: float) -> Interval:
        """Return one version's mean loss over the time of both."""
        return self._within(arm.mean, max(arm.variance, arm.usual), alpha)

    def _within(self, value: float, variance: float, alpha: float) -> Interval:
        if not self.time > 0.0:
            return UNKNOWN
        half = sqrt(variance) * boundary(self.time, alpha)
        return Interval(value, value - half, value + half)


def boundary(time: float, alpha: float) -> float:
    """Return how many standard errors the bounds are from the mean at a time (> 0)."""
    wanted = -2.0 * log(alpha)
    passed = (wanted + log1p(wanted)) * time / TUNED
    return sqrt((1.0 + 1.0 / passed) * (wanted + log1p(passed)))


def compared(strata: Iterable[Stratum], inflation: float) -> Pair:
    """Return both versions over strata, in each of which both have labels."""
    weighed = [(*one, one.ours.labels + one.others.labels) for one in strata]
    time = sum(ours.labels * others.labels / both for ours, others, both in weighed)
    # a label weighs what the other version has of the labels of its stratum
    ours = [(one, others.labels / both) for one, others, both in weighed]
    others = [(one, ours.labels / both) for ours, one, both in weighed]
    every = _added(one for one, _ in (*ours, *others))
    mean = every.total / every.labels if every.labels else nan
    spread = max(every.squares / every.labels - mean * mean, 0.0) if every.labels else nan
    return Pair(time, _arm(ours, time, spread, inflation), _arm(others, time, spread, inflation), inflation)


def _arm(weighed: list[tuple[Lost, float]], time: float, spread: float, inflation: float) -> Arm:
    labels, total, squares = _added(one for one, _ in weighed)
    if not time > 0.0:
        return Arm(labels, nan, nan, nan, 0.0)
    mean = sum(weight * one.total for one, weight in weighed) / time
    about = sum(
        weight**2 * (one.squares - 2.0 * mean * one.total + one.labels * mean * mean)
        for one, weight in weighed
    )
    usual = spread * sum(weight**2 * one.labels for one, weight in weighed)
    scale, errors = inflation / (time * time), total * total / squares if squares > 0.0 else 0.0
    return Arm(labels, mean, scale * max(about, 0.0), scale * usual, errors)


def _added(some: Iterable[Lost]) -> Lost:
    columns = [*zip(*some, strict=True)]
    return Lost(*map(sum, columns)) if columns else Lost(0.0, 0.0, 0.0)
