"""Core. What is behind an alarm: new harm and where it is, or harm that is told already."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import log, nan

from stream.events import ALL
from stream.explanation import is_in
from stream.history import BUCKET_LOSSES, Span
from stream.judge.recovery import PROVED
from stream.rows import Row
from stream.scan import KNOWN, SMALL, Harm, Scanned, culprit, gain, harm, scanned, usual_of
from stream.series import Series
from stream.version import Version

NONE = Span(0, 0.0, nan)
FEWEST = 8
"""Rows of a slice that say anything."""
CLEAR = 3.0
"""Nats between the whole and a part of it that say in which the harm is: odds of twenty to one."""


def harm_behind(version: Version, suspected: Series, increase: float) -> Harm | None:
    """Return the harm behind an alarm of one series, or ``None`` when open findings account for it.

    While a slice is known to be bad, neither the whole that it is part of proves anything, nor a slice that
    overlaps with it: only what is worse outside of all that are told, as enough of the newest rows say.
    """
    series = version.series
    told = [name for name, one in series.items() if one.finding is not None]
    if not told:
        return culprit(series, increase)
    if ALL in told:
        return None
    own, usual = next(name for name, one in series.items() if one is suspected), usual_of(series[ALL])
    found = scanned(own, suspected, increase, usual).harm
    rows = _outside(version, found.onset_at, told)
    if len(rows) < KNOWN:
        return None
    best = _proved(version, rows, increase, suspected.guard.inflation)
    return None if best is None else harm(best.slice, series[best.slice], best.onset_at)


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
