"""Core. Which slice carries the harm: the smallest one that explains most of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import NamedTuple

from stream.cycle import Rise
from stream.events import ALL, Finding, Task
from stream.history import Span
from stream.judge.recovery import PROVED, Recovery, recovery
from stream.onset import Onset, nats, onset
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
    onset_at: float
    before: Span
    after: Span

    @property
    def excess(self) -> float:
        """How much more loss there was since the onset than the level before would have given; 0 if unknown."""
        if not self.before.losses or not self.after.losses:
            return 0.0
        return self.after.total - self.after.losses * self.before.mean


def harm(name: str, series: Series, onset_at: float) -> Harm:
    """Split one series at the onset; what was before is its reference, or its history while it has none."""
    known, history = series.guard.reference(), series.history
    return Harm(name, onset_at, known if known.losses else history.before(onset_at), history.since(onset_at))


def onset_of(series: Series, newest: int, increase: float) -> Onset:
    """Return when harm in this series began; without a reference it is sought among the ``newest`` losses.

    Harm is a mean loss above the reference's by more than the relative rise ``increase``.
    """
    known, guard_harm = series.guard.reference(), series.guard.harm
    if known.losses and guard_harm is not None:
        since = guard_harm.losses_since_calm
        found = onset(series.history, series.task, known.mean, increase, guard_harm.inflation, since)
        if found.at == found.at:
            return found
    at = series.history.onset(newest)
    return Onset(at, at, at)


def culprit(series: Mapping[str, Series], onset_at: float, increase: float) -> Harm:
    """Return the slice with the fewest events that explains the whole excess, else ``"all"``, which must be there.

    Two series split the same harm at slightly different times, so a slice that is suspected itself is also held
    against the whole at its own onset.
    """
    whole = harm(ALL, series[ALL], onset_at)
    carriers = [one for name in series if name != ALL for one in _carriers(name, series, whole, increase)]
    return min(carriers, key=lambda found: (found.after.losses, found.slice), default=whole)


def _carriers(name: str, series: Mapping[str, Series], whole: Harm, increase: float) -> Iterator[Harm]:
    one = series[name]
    found = harm(name, one, whole.onset_at)
    if _is_part(found, whole, one.task):
        yield found
        return
    newest = one.guard.suspected()
    if newest:
        own_at = onset_of(one, 2 * newest, increase).at
        own = harm(name, one, own_at)
        if _is_part(own, harm(ALL, series[ALL], own_at), one.task):
            yield own


def _is_part(found: Harm, whole: Harm, task: Task) -> bool:
    # a slice that holds nearly all events says nothing that "all" does not
    small = found.after.losses < SHARE * whole.after.losses
    return small and found.before.losses >= KNOWN and _explains(found, whole, task)


def _explains(found: Harm, whole: Harm, task: Task) -> bool:
    """Return whether a slice carries ``SHARE`` of the excess, or most of it while the rest shows only noise.

    The spread of a loss is that of a Bernoulli (classification) or of an exponential variable (absolute error).
    """
    if whole.excess <= 0 or found.excess < whole.excess / 2:
        return False
    rest = whole.after.losses - found.after.losses
    noise = NOISE * sqrt(rest * _variance(task, whole.before.mean))
    return found.excess >= SHARE * whole.excess or whole.excess - found.excess <= noise


def _variance(task: Task, mean: float) -> float:
    return mean * (1.0 - mean) if task == "classification" else mean * mean


def is_worse(found: Harm, minimum_increase: float) -> bool:
    """Return whether the loss rose by the least relative increase worth a page."""
    return found.after.mean > found.before.mean * (1.0 + minimum_increase)


def is_unusual(found: Harm, series: Series, rise: Rise) -> bool:
    """Return whether the loss rose by what is worth a page above what is usual at these hours."""
    before = found.before
    usual = found._replace(before=before._replace(total=rise.factor * before.total))
    return is_worse(usual, rise.least) and (rise.factor == 1.0 or is_certain(usual, series))


def is_certain(found: Harm, series: Series) -> bool:
    """Return whether the losses since the onset prove by themselves that they are more than before."""
    after, before = found.after, found.before
    if not after.losses or not before.losses or after.mean <= before.mean:
        return False
    return after.losses * nats(series.task, after.mean, before.mean) >= PROVED * series.guard.inflation


def is_still_there(found: Harm, series: Series) -> bool:
    """Return whether the newest losses are nearer to the level after the onset than to the one before."""
    newest = series.history.newest(min(STILL, max(1, found.after.losses // 2)))
    return newest.mean > (found.before.mean + found.after.mean) / 2


def is_explained(
    all_series: Mapping[str, Series], suspected: Series, series: Series, increase: float
) -> bool:
    """Return whether an open finding accounts for an alarm of one series whose culprit is another, or itself.

    While a slice is known to be bad, the whole that it is part of proves nothing: other slices speak for
    themselves.
    """
    whole = all_series[ALL]
    if series.finding is not None or whole.finding is not None:
        return True
    known = [one.finding.onset_at for one in all_series.values() if one.finding is not None]
    if suspected is whole:
        return bool(known)
    return series is whole and any(culprit(all_series, at, increase).slice != ALL for at in known)


def recovery_of(series: Series, finding: Finding, increase: float) -> Recovery:
    """Return what follows a series' losses since the page of its open finding, from the first of them on."""
    earlier, ill = series.guard.recovery, finding.events_since_onset
    if earlier is not None:
        ill = earlier.lasted(series.outcomes - 1, ill)
    return recovery(series.task, series.shown(finding.before), series.shown(finding.after), increase, ill)
