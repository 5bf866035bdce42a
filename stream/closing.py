"""Core. When an open finding is closed: its harm is over (``stream.judge.recovery``), or it is dropped."""

from __future__ import annotations

from msgspec.structs import replace

from stream.diagnosis import recovery_of
from stream.events import Finding
from stream.series import Series

LOOKED_AT = 8
"""Losses between two looks whether a harm is over."""


def close(series: Series, loss: float, at: float, proven_at: float | None, increase: float) -> Finding | None:
    """Take a loss since the page; close the series' finding when those prove that its harm is over."""
    finding, guard = series.finding, series.guard
    assert finding is not None
    found = guard.recovery
    if found is None or found.ended:
        found = guard.recovery = recovery_of(series, finding, increase)
    found.take(loss)
    if series.outcomes % LOOKED_AT or guard.is_suspected() or not found.is_over(series.task, guard.inflation):
        return None
    found.ended = series.outcomes
    guard.calm()
    guard.resume()
    series.finding = None
    series.rest(finding, found.well)
    return replace(finding, state="closed", closed_at=at, proven_at=proven_at)


def drop(series: Series) -> None:
    """Forget the open finding of a series though no losses have proved that its harm is over."""
    series.guard.calm()
    series.guard.recovery = None
    series.guard.resume()
    series.finding = None
