"""Core. A corrected label: the figures of its time, and findings that rested on what it corrects.

An open finding is closed when the losses since its onset, as they are now known, are no harm any more. A closed
one is opened again, as its next episode, when the losses that closed it are nearer to the harm than to what was
before. No other evidence is taken from a correction: only labels that were wrong come again, a biased sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from stream.aspect_correction import revise_beside
from stream.closing import drop
from stream.events import Finding, Label, Task, finding_id
from stream.joined import Joined, Served
from stream.series import Rested, Series, is_comparable, loss_of, task_of
from stream.version import Version
from stream.withdrawal import is_withdrawn, withdrawn


def is_sound(task: Task, served: Served, outcome: Label) -> bool:
    """Return whether an outcome can be held against a prediction of a version with this task."""
    return task_of(served) == task and is_comparable(task, served.prediction, outcome)


def revise(
    version: Version, served: Served, joined: Joined, route: Sequence[Series], increase: float
) -> tuple[float, list[Finding]]:
    """Put a sound correction of a sound outcome in its place; return how much more loss it is, and findings.

    ``increase`` is the least relative rise worth a page.
    """
    previous, outcome = joined.previous, joined.outcome
    assert previous is not None
    assert outcome is not None
    said, task = served.prediction, version.task
    was, now = loss_of(task, said, previous), loss_of(task, said, outcome)
    version.sums.take((served.at, route, said, previous, served.scores, -1.0))
    version.sums.take((served.at, route, said, outcome, served.scores, 1.0))
    version.confidence.revised(served.at, said, served.scores, 0, (not now) - (not was))
    found: list[Finding] = []
    for series in route:
        series.revise(served.at, was, now)
        made = _withdrawn(series, joined.outcome_at, increase) or _again(series, served.at, was, now, joined)
        if made is not None:
            found.append(made)
    return now - was, [*found, *revise_beside(version, served, joined, increase)]


def withdraw(version: Version, served: Served, previous: Label, route: Sequence[Series]) -> float:
    """Take an outcome out of the figures: its correction can't be held against the prediction. Return its loss."""
    was = loss_of(version.task, served.prediction, previous)
    version.sums.take((served.at, route, served.prediction, previous, served.scores, -1.0))
    version.confidence.revised(served.at, served.prediction, served.scores, -1, -(not was))
    for series in route:
        series.withdraw(was)
    return was


def _withdrawn(series: Series, at: float, increase: float) -> Finding | None:
    """Close the open finding if the losses since its onset are not worth a page any more."""
    finding = series.finding
    if finding is None:
        return None
    since, before = series.history.since(finding.onset_at), series.shown(finding.before)
    if not is_withdrawn(since, before, before * (1.0 + increase), series.back):
        return None
    drop(series)
    return withdrawn(finding, at)


def _again(series: Series, at: float, was: float, now: float, joined: Joined) -> Finding | None:
    """Revise what the newest closed finding rests on; open it again if that speaks for the harm now."""
    rested = series.rested
    if rested is None or series.finding is not None or not rested.since <= at <= rested.until:
        return None
    rested.total += now - was
    finding = rested.finding
    mean = rested.total / rested.losses
    if mean <= (series.shown(finding.before) + series.shown(finding.after)) / 2:
        return None
    series.rested = None
    series.open(_reopened(finding, series, mean, rested, joined.outcome_at))
    return series.finding


def _reopened(finding: Finding, series: Series, mean: float, rested: Rested, at: float) -> Finding:
    where, episode = (finding.model, finding.version, finding.slice, finding.metric), series.episode + 1
    return replace(
        finding,
        id=finding_id(*where, episode),
        state="open",
        episode=episode,
        after=series.shown(mean),
        after_count=rested.losses,
        after_lower=None,
        after_upper=None,
        detected_at=at,
        closed_at=None,
        causes=("labels by which this was closed have been corrected", *finding.causes),
    )
