"""Core. Which slice carries the harm: the smallest one that explains most of it."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from stream.events import ALL, Task
from stream.history import Span
from stream.series import Series

SHARE = 0.8
"""A slice is named when it alone carries at least this share of the excess loss."""
KNOWN = 30
"""Losses before the onset that a slice must have to be named."""
NOISE = 3.0
"""Standard deviations that the excess outside of a slice may reach and still be noise."""
STILL = 64
"""How many newest losses say whether the harm is still there; of those since the onset, at most half."""


class Harm(NamedTuple):
    """One slice's losses before and since the onset, in the loss's own unit."""

    slice: str
    before: Span
    after: Span

    @property
    def excess(self) -> float:
        """How much more loss there was since the onset than the level before would have given; 0 if unknown."""
        if not self.before.losses or not self.after.losses:
            return 0.0
        return self.after.total - self.after.losses * self.before.mean


def harm(name: str, series: Series, onset_at: float) -> Harm:
    """Split one series at the onset."""
    return Harm(name, series.history.before(onset_at), series.history.since(onset_at))


def culprit(series: Mapping[str, Series], onset_at: float) -> Harm:
    """Return the slice with the fewest events that explains the whole excess, else ``"all"``."""
    whole = harm(ALL, series[ALL], onset_at)
    slices = [harm(name, one, onset_at) for name, one in series.items() if name != ALL]
    # a slice that holds nearly all events says nothing that "all" does not
    small = [
        one for one in slices if one.before.losses >= KNOWN and one.after.losses < SHARE * whole.after.losses
    ]
    carriers = [one for one in small if _explains(one, whole, series[ALL].task)]
    return min(carriers, key=lambda found: (found.after.losses, found.slice), default=whole)


def _explains(found: Harm, whole: Harm, task: Task) -> bool:
    """Return whether a slice carries ``SHARE`` of the excess, or most of it while the rest shows only noise.

    The spread of a loss is that of a Bernoulli (classification) or of an exponential variable (absolute error).
    """
    if whole.excess <= 0 or found.excess < whole.excess / 2:
        return False
    rest, level = whole.after.losses - found.after.losses, whole.before.mean
    variance = level * (1.0 - level) if task == "classification" else level * level
    return found.excess >= SHARE * whole.excess or whole.excess - found.excess <= NOISE * sqrt(
        rest * variance
    )


def is_worse(found: Harm, minimum_increase: float) -> bool:
    """Return whether the loss rose by the least relative increase worth a page."""
    return found.after.mean > found.before.mean * (1.0 + minimum_increase)


def is_still_there(found: Harm, series: Series) -> bool:
    """Return whether the newest losses are nearer to the level after the onset than to the one before."""
    newest = series.history.newest(min(STILL, max(1, found.after.losses // 2)))
    return newest.mean > (found.before.mean + found.after.mean) / 2
