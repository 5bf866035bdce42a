"""Core. What is open of a version when it ends: it was retired, made room for others, or has long served nobody.

A finding is closed by labels and predictions of its own version and slice, so nothing that comes later would close
it. So what is open of a slice ends as well when that has long had no prediction, longer than it may rest; and of a
class's recall when none of the class was missed for as long: it may never happen again.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from math import inf
from typing import Final

from msgspec.structs import replace

from stream.carried import outliving
from stream.closing import drop
from stream.confidence import HORIZONS
from stream.events import ALL, Finding, Rollout
from stream.history import Span
from stream.reference import Reference
from stream.series import Ended
from stream.traffic import DAY_S
from stream.version import Stages, Version, served_until, stage_of

RETIRED: Final = "this version has been retired"
MADE_ROOM: Final = "this version has made room for others of the model, and is forgotten"
OTHER_TASK: Final = "the model's newest version is of another task"
SERVES: Final = "this version was a shadow, and serves now: it is judged anew"
IDLE: Final = "this version has had no prediction for two label horizons, and another one had"
VANISHED: Final = "this slice has had no prediction for eight days and two label horizons, and others had"
NEVER_MISSED: Final = "no outcome of this class was missed for eight days and two label horizons"
IDLES: Final = ("shadow", "retired")
"""Stages of a version that serves nobody."""
RESTS_S = 8 * DAY_S
"""A slice may rest at night and at weekends, and one of Sundays in the week."""


def is_told(version: Version) -> bool:
    """Return whether a finding of the version is open: of a loss, of an input or of what it says."""
    drifts = (one.drift.finding for one in version.reference.features.values())
    tickets = (version.reference.repeats.finding, *drifts)
    return version.is_harmed() or any(one is not None for one in tickets)


def last_episode(version: Version) -> int:
    """Return the highest number that an episode of the version has; 0 before the first."""
    errors = [one.episode for one in version.series.values()]
    beside = [one.episode for one in version.aspects.all()]
    drifts = [one.drift.episode for one in version.reference.features.values()]
    return max(version.reference.repeats.episode, *errors, *beside, *drifts)


def end_of(
    version: Version, why: str, at: float, proven_at: float | None, kept: Container[str] = ()
) -> list[Finding]:
    """Close all that is open of a version that ended ``at``; return it, ``why`` being its first cause.

    What labels proved that came later ends when it was proved. Corrections open nothing of it again. The tickets
    of the inputs that are ``kept`` stay open.
    """
    errors = [*_errors(version)]
    ended = _closed((*errors, *_beside(version), *_tickets(version.reference, at, kept)), why, at, proven_at)
    at_last = (Ended(one.slice, one.onset_at, one.closed_at or at) for one in ended[: len(errors)])
    version.ended = (*at_last,) or version.ended
    version.heed_findings()
    return ended


def _closed(found: Sequence[Finding], why: str, at: float, proven_at: float | None) -> list[Finding]:
    return [
        replace(
            one,
            state="closed",
            closed_at=max(at, one.detected_at),
            proven_at=proven_at,
            causes=(why, *one.causes),
        )
        for one in found
    ]


def turn(
    versions: Mapping[str, Version], before: str, rollout: Rollout, stages: Stages, proven_at: float | None
) -> Sequence[Finding]:
    """Close what is open of the rollout's version if that serves nobody from then on; ``stages`` know of it.

    Where it was a shadow ``before`` and serves now, its harm is closed: as that of a shadow it was a ticket.
    Corrections don't open that again.
    """
    version, at = versions.get(rollout.version), float(rollout.at)
    if version is None:
        return ()
    if rollout.stage == "retired":
        others = _serving(versions, stages).values()
        return end_of(version, RETIRED, at, proven_at, outliving(version, others, at))
    if before not in IDLES or rollout.stage in IDLES:
        return ()
    version.serves_since = at
    ended = _closed((*_errors(version), *_beside(version)), SERVES, at, proven_at)
    version.heed_findings()
    return ended


def _serving(versions: Mapping[str, Version], stages: Stages) -> dict[str, Version]:
    return {name: one for name, one in versions.items() if stage_of(name, stages) != "retired"}


def _errors(version: Version) -> Iterator[Finding]:
    for series in version.series.values():
        series.rested = None
        if series.finding is not None:
            yield series.finding
            drop(series)


def _beside(version: Version) -> Iterator[Finding]:
    for aspect in version.aspects.all():
        if aspect.finding is not None:
            yield aspect.finding
            aspect.withdraw()


def _tickets(reference: Reference, at: float, kept: Container[str]) -> Iterator[Finding]:
    for name, feature in reference.features.items():
        drift = feature.drift
        if drift.finding is not None and name not in kept:
            yield drift.finding
            drift.finding, drift.evidence = None, 0.0
    repeats = reference.repeats
    if repeats.finding is not None:
        yield repeats.finding
        repeats.finding = None
        repeats.put_off(at)


def end_idle(
    versions: Mapping[str, Version], stages: Stages, horizon_s: float, at: float, proven_at: float | None
) -> list[Finding]:
    """Close what is open of versions that others have outlived by so long that none of their labels can come.

    A label of a prediction tells how far the clocks have come, and that it is no mere pause of all versions. What
    a retired version has left open is closed when nobody shows it any more.
    """
    newest_at = max(map(_labelled_until, versions.values()), default=-inf)
    over_at = newest_at - HORIZONS * horizon_s
    vanished_at = min(over_at, newest_at - RESTS_S)
    serving = _serving(versions, stages)
    others = {name: one for name, one in serving.items() if served_until(one) >= over_at}
    ended = [
        finding
        for name, one in versions.items()
        if name not in others and is_told(one)
        for finding in end_of(
            one, IDLE if name in serving else RETIRED, at, proven_at, outliving(one, others.values(), at)
        )
    ]
    for one in others.values():
        ended += _vanished(one, vanished_at, at, proven_at)
        ended += _never_missed(one, vanished_at, at, proven_at)
    return ended


def _vanished(version: Version, since: float, at: float, proven_at: float | None) -> list[Finding]:
    """Close what is open of a version's slices that have had no prediction ``since`` then."""
    gone = [one for one in version.series.values() if one.finding is not None and one.newest_at < since]
    found = [one.finding for one in gone if one.finding is not None]
    for one in gone:
        one.rested = None
        drop(one)
    if found:
        version.heed_findings()
    return _closed(found, VANISHED, at, proven_at)


def _never_missed(version: Version, since: float, at: float, proven_at: float | None) -> list[Finding]:
    """Close what is open of the recall of classes of which no outcome was missed ``since`` then."""
    found = []
    for one in version.aspects.recalls.values():
        if one.finding is not None and one.large_at < since:
            found.append(one.finding)
            one.withdraw()
    if found:
        version.heed_findings()
    return _closed(found, NEVER_MISSED, at, proven_at)


def _labelled_until(version: Version) -> float:
    """Return the event time of a labelled prediction that is nearly the newest; -inf without any."""
    newest = version.series[ALL].history.newest(1) if ALL in version.series else Span(0, 0.0, -inf)
    return newest.began_at if newest.losses else -inf
