"""Core. What is behind an alarm: new harm and where it is, or harm that is told already."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import log, nan

from stream.diagnosis import is_certain
from stream.events import ALL
from stream.explanation import is_in
from stream.history import BUCKET_LOSSES, Span
from stream.judge.recovery import PROVED
from stream.rows import Row
from stream.scan import KNOWN, SMALL, Harm, Scanned, culprit, gain, harm, scanned, usual_of
from stream.series import Series
from stream.version import OTHER, Version

NONE = Span(0, 0.0, nan)
FEWEST = 8
"""Rows of a slice that say anything."""
WORTH = 0.1
"""Of the excess loss that is told, what a harm elsewhere must come to at least to be told as well."""
CLEAR = 3.0
"""Nats between the whole and a part of it that say in which the harm is: odds of twenty to one."""


def harm_behind(version: Version, suspected: Series, increase: float) -> Harm | None:
    """Return the harm behind an alarm of one series, or ``None`` when open findings account for it.

    Where corrections took back some of what the alarm rests on, the losses that are left must prove it as well.
    """
    found = _behind(version, suspected, increase)
    if found is None or not suspected.is_shaken(found.onset_at):
        return found
    return found if is_certain(found, version.series[found.slice], log(version.arl)) else None


def _behind(version: Version, suspected: Series, increase: float) -> Harm | None:
    """Return the harm that is not told yet, as the losses are known now; ``None`` without any.

    While a slice is known to be bad, neither the whole that it is part of proves anything, nor a slice that
    overlaps with it: only what is worse outside of all that are told, as enough of the newest rows say. A slice
    that is apart from all of them is not explained by any.
    """
    series = version.series
    told = [name for name, one in series.items() if one.finding is not None]
    if not told:
        return _since_it_serves(version, culprit(series, increase))
    if ALL in told:
        return None
    own, usual = next(name for name, one in series.items() if one is suspected), usual_of(series[ALL])
    if all(_are_apart(own, one) for one in told):
        return _culprit_outside(version, told, increase, usual)
    found = scanned(own, suspected, increase, usual).harm
    rows = _outside(version, found.onset_at, told)
    if len(rows) < KNOWN:
        return None
    best = _proved(version, rows, increase, suspected.guard.inflation)
    return None if best is None else harm(best.slice, series[best.slice], best.onset_at)


def _since_it_serves(version: Version, found: Harm) -> Harm:
    """Return harm that began before its version served as from then on, if the losses since then prove it."""
    series, since = version.series[found.slice], version.serves_since
    if found.onset_at >= since:
        return found
    later = found._replace(onset_at=since, after=series.history.since(since))
    return later if is_certain(later, series) else found


def _are_apart(one: str, other: str) -> bool:
    """Return whether two slices have no prediction in common: two values of one name."""
    is_named = not {one, other} & {ALL, OTHER}
    return one != other and is_named and one.partition("=")[0] == other.partition("=")[0]


def _culprit_outside(version: Version, told: Sequence[str], increase: float, usual: float) -> Harm | None:
    """Return what is the likeliest of all that is outside of the told slices, which are of one name.

    That is the whole without them, or a slice that is apart from them; ``None`` when nothing rose there, or so
    little that it is no news beside what is told.
    """
    series = version.series
    apart = (
        scanned(name, one, increase, usual)
        for name, one in series.items()
        if all(_are_apart(name, other) for other in told)
    )
    part = max(apart, key=_nats)
    if not part.nats > 0.0:
        return None
    known = [series[one] for one in told]
    rest = _without(harm(ALL, series[ALL], part.harm.onset_at), known)
    is_part = part.harm.after.losses < SMALL * rest.after.losses
    best = part.harm if is_part and part.nats >= gain(series[ALL].task, rest, increase, usual) else rest
    if best.after.losses < FEWEST:
        return None
    lost = sum(_excess(one.history.since(best.onset_at), _told_before(one)) for one in known)
    return best if _excess(best.after, best.before.mean) >= WORTH * lost else None


def _excess(span: Span, before: float) -> float:
    """Return how much loss lies above a mean of before; at least 0."""
    return max(span.total - span.losses * before, 0.0)


def _told_before(series: Series) -> float:
    """Return the mean loss before the open finding of a series, as it says."""
    assert series.finding is not None
    return series.shown(series.finding.before)


def _without(found: Harm, others: Iterable[Series]) -> Harm:
    """Return the harm of the whole without these slices; their share before is taken to be that since."""
    before, after = found.before, found.after
    for one in others:
        theirs = harm("", one, found.onset_at)
        share = theirs.after.losses / max(found.after.losses, 1)
        known = round(share * found.before.losses) if theirs.before.losses else 0
        before = _less(before, known, known * theirs.before.mean if known else 0.0)
        after = _less(after, theirs.after.losses, theirs.after.total)
    return found._replace(before=before, after=after)


def _less(span: Span, losses: int, total: float) -> Span:
    left = max(span.losses - losses, 0)
    return Span(left, max(span.total - total, 0.0) if left else 0.0, span.began_at)


def _outside(version: Version, since: float, told: Collection[str]) -> list[Row]:
    """Return the rows since then that are in none of the slices that are told, in order of time."""
    rows = sorted(version.rows.since(since), key=lambda row: row.at)
    return [row for row in rows if not any(is_in(row, one, version.series) for one in told)]


def _proved(version: Version, rows: Sequence[Row], increase: float, inflation: float) -> Harm | None:
    """Return the harm that these rows prove, once they say where; ``None`` before."""
    series, usual = version.series, usual_of(version.series[ALL])
    whole = _seen(ALL, series[ALL], rows, increase, usual)
    part = Scanned(whole.harm, 0.0)
    for name, one in series.items():
        own = [row for row in rows if is_in(row, name, series)]
        if FEWEST <= len(own) < SMALL * len(rows):
            part = max(part, _seen(name, one, own, increase, usual), key=_nats)
    best = max(whole, part, key=_nats)
    # as many hypotheses as slices, each with a border every so many rows
    least = (PROVED + log(len(series) * len(rows) / BUCKET_LOSSES)) * inflation
    if best.nats < least or (
        abs(whole.nats - part.nats) < CLEAR and best.nats < 2.0 * log(version.arl) * inflation
    ):
        return None
    return best.harm


def _nats(one: Scanned) -> float:
    return one.nats


def _seen(name: str, series: Series, rows: Sequence[Row], increase: float, usual: float) -> Scanned:
    """Return what speaks most for harm in one series that began at one of its rows, or a few before."""
    split = harm(name, series, rows[0].at)
    total, best = 0.0, Scanned(split._replace(after=NONE), 0.0)
    for losses, row in enumerate(reversed(rows), 1):
        total += row.loss
        if losses % BUCKET_LOSSES == 0 or losses == len(rows):
            found = split._replace(onset_at=row.at, after=Span(losses, total, row.at))
            best = max(best, Scanned(found, gain(series.task, found, increase, usual)), key=_nats)
    return best
