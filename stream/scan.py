"""Core. Which slice harm is in, and since when: a scan of all slices and onsets.

Of the hypotheses "the loss rose in this slice, since then, and nowhere else" the likeliest is named, the whole
being one of the slices. Each is measured by the log-likelihood ratio (nats) of two means against one, of a slice's
losses before and since a border of its history (Kulldorff 2001, with the slice's own past in place of a map): what
rises as a whole speaks more for the whole than for any part, and what rises in a part is thinned by the rest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import inf, nan
from typing import NamedTuple

from stream.events import ALL, Task
from stream.history import Bucket, Span
from stream.onset import DROP, Onset, nats
from stream.series import Series

SMALL = 0.8
"""A slice that holds more of the losses since than this share says nothing that the whole does not."""
KNOWN = 30
"""Losses before the onset that a slice must have to be named."""
NOTHING = Bucket(nan, 0.0, 0.0)
"""Before the first bucket."""


class Harm(NamedTuple):
    """One slice's losses before and since the onset, in the loss's own unit."""

    slice: str
    onset_at: float
    before: Span
    after: Span


class Scanned(NamedTuple):
    """A harm, and how much speaks for it (nats, >= 0)."""

    harm: Harm
    nats: float


def harm(name: str, series: Series, onset_at: float) -> Harm:
    """Split one series at the onset; what was before is its reference, or its history while that is none of it."""
    history = series.history
    after = history.since(onset_at)
    return Harm(name, onset_at, _before(series, history.before(onset_at), after.losses), after)


def culprit(series: Mapping[str, Series], increase: float, since: float | None = None) -> Harm:
    """Return the slice that harm is in, the likeliest; ``"all"``, which must be there, if none is likelier.

    Harm is a mean loss above the one before by more than the relative rise ``increase``. ``since``: when it began,
    if that is known (epoch seconds).
    """
    usual = usual_of(series[ALL])
    best = scanned(ALL, series[ALL], increase, usual, since)
    for name, one in series.items():
        if name != ALL:
            found = scanned(name, one, increase, usual, since)
            if found.nats > best.nats and _is_part(found.harm, series[ALL]):
                best = found
    return best.harm


def onset_in(series: Series, increase: float) -> Onset:
    """Return when harm in this series most likely began, and between which; nan when nothing rose.

    The interval holds the borders that are less likely by ``DROP`` at most, times the inflation by dependence.
    """
    scores = [(speaks, one.onset_at) for one, speaks in _profile("", series, increase, 0.0)]
    most, at = max(scores, default=(0.0, nan))
    if not most > 0.0:
        return Onset(nan, nan, nan)
    likely = [when for speaks, when in scores if speaks >= most - DROP * series.guard.inflation]
    began = [one.began_at for one in series.history.buckets()]
    first, last = bisect_left(began, min(likely)), bisect_right(began, max(likely))
    return Onset(at, began[max(first - 1, 0)], began[min(last, len(began) - 1)])


def scanned(name: str, series: Series, increase: float, usual: float, since: float | None = None) -> Scanned:
    """Return what speaks most for harm in one series; 0 nats, and none of its losses since, when nothing does.

    ``usual`` is the whole's mean loss. Harm that is told is that of its finding; ``since``: as in ``culprit``.
    """
    if since is not None:
        one = harm(name, series, since)
        return Scanned(one, gain(series.task, one, increase, usual))
    told = series.finding
    if told is not None:
        mean = series.shown(told.before)
        known = Span(told.before_count, told.before_count * mean, nan)
        one = Harm(name, told.onset_at, known, series.history.since(told.onset_at))
        return Scanned(one, gain(series.task, one, increase, usual))
    best = max(_profile(name, series, increase, usual), key=lambda one: one.nats, default=None)
    return best if best is not None and best.nats > 0.0 else Scanned(harm(name, series, inf), 0.0)


def usual_of(whole: Series) -> float:
    """Return the mean loss of all, of the reference if there is one; 0 before the first."""
    known = whole.guard.reference()
    return known.mean if known.losses else whole.loss_total / max(whole.outcomes, 1)


def _profile(name: str, series: Series, increase: float, usual: float) -> Iterator[Scanned]:
    """Yield the harms that may have begun at a bucket of the history, the newest first.

    What is older than the end of an earlier harm, of this series or of the whole, is no part of this one.
    """
    buckets = [*series.history.buckets()]
    ended_at = series.well_at if series.rested is None else max(series.well_at, series.rested.since)
    all_losses, all_total = sum(one.losses for one in buckets), sum(one.total for one in buckets)
    known = series.guard.reference()
    worse = known.mean * (1.0 + increase) if known.losses else inf
    # without a whole reference the mean of the whole history lies between that before and that since
    is_young = series.guard.learning or not known.losses
    least = min(worse, all_total / max(all_losses, 1.0)) if is_young else worse
    losses = total = 0.0
    for (began_at, more, lost), earlier in pairwise([*reversed(buckets), NOTHING]):
        losses, total = losses + more, total + lost
        if total > losses * least:
            before = Span(int(all_losses - losses), all_total - total, nan)
            after = Span(int(losses), total, began_at)
            found = Harm(name, began_at, _before(series, before, int(losses)), after)
            yield Scanned(found, gain(series.task, found, increase, usual, _begun(found, earlier)))
        if began_at <= ended_at:
            return


def _begun(found: Harm, earlier: Bucket) -> float:
    """Return how many losses of the bucket before are of the harm, if it is made of both means."""
    usual, rise = found.before.mean, found.after.mean - found.before.mean
    if not rise > 0.0:
        return 0.0
    return min(max((earlier.total - earlier.losses * usual) / rise, 0.0), earlier.losses)


def _before(series: Series, history: Span, after: int) -> Span:
    """Return the reference, or what the history holds: while it is learned the longer one, without the harm."""
    guard, known = series.guard, series.guard.reference()
    if not known.losses:
        return history
    if guard.is_promised:
        return known
    is_within = known.losses <= series.outcomes < known.losses + after
    is_longer = guard.learning and history.losses > known.losses
    return history if is_longer or (is_within and history.losses >= KNOWN) else known


def gain(task: Task, found: Harm, increase: float, usual: float, begun: float = 0.0) -> float:
    """Return the nats by which two means are likelier than one, if the second is above the first by enough.

    ``begun``: losses more, of the same mean. A regression's past counts as one loss of ``usual`` more: without any
    loss it would be infinitely far from all that comes.
    """
    before, after = found.before, found.after
    if before.losses < KNOWN or not after.losses or after.mean <= before.mean * (1.0 + increase):
        return 0.0
    losses, known, total = after.losses + begun, float(before.losses), before.total
    if task == "regression":
        known, total = known + 1.0, total + usual
        if after.mean <= total / known:
            return 0.0
    mean = (total + losses * after.mean) / (known + losses)
    return losses * nats(task, after.mean, mean) + known * nats(task, total / known, mean)


def _is_part(found: Harm, whole: Series) -> bool:
    """Return whether a slice's losses since are not nearly all that there were."""
    return found.after.losses < SMALL * whole.history.since(found.onset_at).losses
