"""Core. Which slice carries the harm: the smallest one that explains most of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from stream.events import ALL
from stream.history import Span
from stream.series import Series

SHARE = 0.8
"""A slice is named when it alone carries at least this share of the excess loss."""
STILL = 64
"""How many newest losses say whether the harm is still there."""


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


def culprit(series: Mapping[str, Series], onset_at: float, warmup: int) -> Harm:
    """Return the slice with the fewest events that carries ``SHARE`` of the whole excess, else ``"all"``."""
    whole = harm(ALL, series[ALL], onset_at)
    warm = [(name, one) for name, one in series.items() if name != ALL and one.outcomes >= warmup]
    slices = [harm(name, one, onset_at) for name, one in warm]
    # a slice that holds nearly all events says nothing that "all" does not
    small = [found for found in slices if found.after.losses < SHARE * whole.after.losses]
    carriers = [found for found in small if found.excess >= SHARE * whole.excess > 0]
    return min(carriers, key=lambda found: (found.after.losses, found.slice), default=whole)


def is_worse(found: Harm, minimum_increase: float) -> bool:
    """Return whether the loss rose by the least relative increase worth a page."""
    return found.after.mean > found.before.mean * (1.0 + minimum_increase)


def is_still_there(found: Harm, series: Series) -> bool:
    """Return whether the newest losses are nearer to the level after the onset than to the one before."""
    return series.history.newest(STILL).mean > (found.before.mean + found.after.mean) / 2
