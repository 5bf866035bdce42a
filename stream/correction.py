"""Core. A corrected label: the figures of its time, and findings that rested on what it corrects.

An open finding is closed when the losses since its onset, as they are now known, are no harm any more. A closed
one is opened again, as its next episode, when the losses that closed it are nearer to the harm than to what was
before. No other evidence is taken from a correction: only labels that were wrong come again, a biased sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stream.aspect_correction import revise_beside
from stream.closing import drop
from stream.events import Finding, Label, Task, finding_id
from stream.joined import Joined, Served
from stream.rows import Row, with_class
from stream.series import Rested, Series, is_comparable, loss_of, task_of, widest
from stream.version import Judgement, Version
from stream.withdrawal import is_withdrawn, withdrawn


class Corrected(NamedTuple):
    """How many losses there are more, how much loss that is, and what it closes or opens again."""

    losses: int
    more: float
    findings: list[Finding]


def is_sound(task: Task, served: Served, outcome: Label) -> bool:
    """Return whether an outcome can be held against a prediction of a version with this task."""
    return task_of(served) == task and is_comparable(task, served.prediction, outcome)


def correct(
    version: Version,
    served: Served,
    joined: Joined,
    route: Sequence[Series],
    judgement: Judgement,
) -> Corrected:
    """Put a correction of a sound outcome in its place, or only take that out if it is none."""
    increase = judgement.minimum_increase
    previous, outcome, at = joined.previous, joined.outcome, min(served.at, joined.previous_at)
    assert previous is not None
    assert outcome is not None
    was = loss_of(version.task, served.prediction, previous)
    version.sums.take((at, route, served.prediction, previous, served.scores, -1.0))
    if is_sound(version.task, served, outcome):
        losses, more, sound = 0, _revise(version, served, joined, route, outcome, was) - was, outcome
    else:
        losses, more, sound = -1, -was, None
        _withdraw(version, served, route, at, was)
    if served.bins:
        now = min(served.at, joined.outcome_at)
        row = None if sound is None else _row(version, served, route, now, sound)
        version.rows.revise(_row(version, served, route, at, previous), row)
    found = [*_settled(route, at, losses, more, joined.outcome_at, increase)]
    return Corrected(losses, more, [*found, *revise_beside(version, served, joined, sound, increase)])


def _revise(
    version: Version, served: Served, joined: Joined, route: Sequence[Series], outcome: Label, was: float
) -> float:
    """Put an outcome in the place of one whose loss ``was`` this; return its loss."""
    said, scores, at = served.prediction, served.scores, min(served.at, joined.previous_at)
    now = loss_of(version.task, said, outcome)
    version.sums.take((min(served.at, joined.outcome_at), route, said, outcome, scores, 1.0))
    version.confidence.revised(served.at, said, scores, 0, (not now) - (not was))
    for series in route:
        series.revise(at, was, now, served.prediction_id)
    return now


def _withdraw(version: Version, served: Served, route: Sequence[Series], at: float, was: float) -> None:
    """Take an outcome out that came with event time ``at``; its loss ``was`` this."""
    version.confidence.revised(served.at, served.prediction, served.scores, -1, -(not was))
    version.unlabel()
    for series in route:
        series.withdraw(at, was, served.prediction_id)


def _row(version: Version, served: Served, route: Sequence[Series], at: float, happened: Label) -> Row:
    """Return the row of a prediction with this outcome."""
    loss = loss_of(version.task, served.prediction, happened)
    where = with_class(served.slices, version.task, happened)
    return Row(at, min(loss, widest(route) or loss), where, served.bins)


def _settled(
    route: Sequence[Series], at: float, losses: int, more: float, known_at: float, increase: float
) -> Iterator[Finding]:
    """Yield what is closed or opened again, now that there are so many losses, and so much loss, more."""
    for series in route:
        made = _withdrawn(series, known_at, increase) or _again(series, at, losses, more, known_at)
        if made is not None:
            yield made


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


def _again(series: Series, at: float, losses: int, more: float, known_at: float) -> Finding | None:
    """Revise what the newest closed finding rests on; open it again if that speaks for the harm now."""
    rested = series.rested
    if rested is None or not rested.since <= at <= rested.until:
        return None
    rested.losses, rested.total = rested.losses + losses, rested.total + more
    if series.finding is not None:
        return None
    finding = rested.finding
    mean = rested.total / rested.losses if rested.losses > 0 else 0.0  # nothing speaks for the harm either
    if mean <= (series.shown(finding.before) + series.shown(finding.after)) / 2:
        return None
    series.rested = None
    series.open(_reopened(finding, series, mean, rested, known_at))
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
