"""Core. Whether harm is worth a page, and still there."""

from __future__ import annotations

from stream.cycle import Rise
from stream.events import Finding
from stream.judge.recovery import PROVED, Extent, Recovery, recovery
from stream.onset import nats
from stream.scan import Harm
from stream.series import Series

STILL = 64
"""How many newest losses say whether the harm is still there; of those since the onset, at most half."""


def is_worse(found: Harm, minimum_increase: float) -> bool:
    """Return whether the loss rose by the least relative increase worth a page."""
    return found.after.mean > found.before.mean * (1.0 + minimum_increase)


def is_unusual(found: Harm, series: Series, rise: Rise) -> bool:
    """Return whether the loss rose by what is worth a page above what is usual at these hours."""
    before = found.before
    usual = found._replace(before=before._replace(total=rise.factor * before.total))
    return is_worse(usual, rise.least) and (rise.factor == 1.0 or is_certain(usual, series))


def is_certain(found: Harm, series: Series, proved: float = PROVED) -> bool:
    """Return whether the losses since the onset prove by themselves, with so many nats, that they are more."""
    after, before = found.after, found.before
    if not after.losses or not before.losses or after.mean <= before.mean:
        return False
    return after.losses * nats(series.task, after.mean, before.mean) >= proved * series.guard.inflation


def is_still_there(found: Harm, series: Series) -> bool:
    """Return whether the newest losses are nearer to the level after the onset than to the one before."""
    newest = series.history.newest(min(STILL, max(1, found.after.losses // 2)))
    return newest.mean > (found.before.mean + found.after.mean) / 2


def recovery_of(series: Series, finding: Finding, increase: float) -> Recovery:
    """Return what follows a series' losses since the page of its open finding, from the first of them on."""
    earlier, ill = series.guard.recovery, finding.events_since_onset
    if earlier is not None:
        ill = earlier.lasted(series.outcomes - 1, ill)
    before, after = series.shown(finding.before), series.shown(finding.after)
    return recovery(series.task, Extent(before, after, *_ends(series, finding, before, after)), increase, ill)


def _ends(series: Series, finding: Finding, before: float, after: float) -> tuple[float, float]:
    """Return the most that the mean loss may have been before, and the least since, as the finding says."""
    is_share = series.task == "classification"
    most = finding.before_lower if is_share else finding.before_upper
    least = finding.after_upper if is_share else finding.after_lower
    return before if most is None else series.shown(most), after if least is None else series.shown(least)
