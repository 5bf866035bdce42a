"""Core. One model's monitor: joined events in, findings out.

Every version has one series per slice. A change that some series proves is attributed to a slice; it becomes a
finding when the loss rose enough, is still high, and no open finding explains it already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from stream.diagnosis import Harm, culprit, is_still_there, is_worse
from stream.events import ALL, Finding, Prediction, Rollout, Task
from stream.join import Joined, Reason, Served
from stream.reference import Reference
from stream.series import Series, is_comparable, loss_of, new_series, task_of

OTHER = "__other__"
RECOVERED = 100
"""Losses that a fresh window must hold before it may say that a model has recovered."""
SUSPECT_S = 3_600.0
"""A rollout this long before the onset, or less, is named as a possible cause."""
ROUTES = 256
"""Combinations of slices that a version remembers the series of."""
MATCHED: Final = Reason.MATCHED
MISMATCHED: Final = "mismatched"
"""The outcome is not of the prediction's kind, or the prediction not of its version's."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """When a change is worth a finding; see ``MonitorSettings``."""

    delta: float = 1e-4
    warmup: int = 200
    minimum_increase: float = 0.2
    slice_budget: int = 200


class Routes:
    """Which series a combination of slices leads to; derived, so never saved."""

    __slots__ = ("by_slices",)

    def __init__(self) -> None:
        self.by_slices: dict[tuple[str, ...], tuple[Series, ...]] = {}


class Version(Struct, array_like=True, gc=False):
    """One version of a model: its series by slice, and its inputs."""

    task: Task
    series: dict[str, Series] = {}
    reference: Reference = msgspec.field(default_factory=Reference)
    routes: Routes = msgspec.field(default_factory=Routes)

    def route(self, slices: tuple[str, ...], judgement: Judgement) -> tuple[Series, ...]:
        """Return the series of a combination of slices, the whole first; over budget, a dimension's "other"."""
        known = self.routes.by_slices
        found = known.get(slices)
        if found is None:
            if len(known) >= ROUTES:
                known.clear()
            found = known[slices] = tuple(self._series(name, judgement) for name in slices)
        return found

    def _series(self, name: str, judgement: Judgement) -> Series:
        if name not in self.series and len(self.series) >= judgement.slice_budget:
            name = f"{name.partition('=')[0]}={OTHER}"
        found = self.series.get(name)
        if found is None:
            found = self.series[name] = new_series(self.task, judgement.delta)
        return found


class Monitor(Struct, array_like=True, gc=False):
    """The live state of one model: its versions, their latest stages, and counts by reason."""

    model: str
    versions: dict[str, Version] = {}
    counts: dict[str, int] = {}
    rollouts: dict[str, tuple[float, str]] = {}

    def rolled_out(self, rollout: Rollout) -> None:
        """Remember a version's latest stage."""
        self.rollouts[rollout.version] = (float(rollout.at), rollout.stage)

    def predicted(self, prediction: Prediction, served: Served, judgement: Judgement) -> None:
        """Count a new prediction in each of its slices, and compare its features."""
        version = self._version(served)
        for series in version.route(served.slices, judgement):
            series.predictions += 1
            if served.at > series.newest_at:
                series.newest_at = served.at
        version.reference.observe(prediction)

    def take(
        self, joined: Joined, judgement: Judgement, proven_at: float | None
    ) -> tuple[str, Sequence[Finding]]:
        """Fold one result of the join; return what it counts as, and the findings that it opened or closed."""
        reason, served = joined.reason, joined.served
        counted: str = reason
        findings: Sequence[Finding] = ()
        if served is not None:
            version = self._version(served)
            if joined.outcome is not None and not _is_sound(version, served, joined):
                counted = MISMATCHED
            elif reason is MATCHED:
                findings = self._learn(version, served, joined, judgement, proven_at)
            else:
                _note(reason, version.route(served.slices, judgement))
                if reason is Reason.CORRECTED:
                    _revise(version, served, joined, judgement)
        self.counts[counted] = self.counts.get(counted, 0) + 1
        return counted, findings

    def _version(self, served: Served) -> Version:
        version = self.versions.get(served.version)
        if version is None:
            version = self.versions[served.version] = Version(task_of(served))
        return version

    def _learn(
        self,
        version: Version,
        served: Served,
        joined: Joined,
        judgement: Judgement,
        proven_at: float | None,
    ) -> Sequence[Finding]:
        assert joined.outcome is not None
        loss = loss_of(version.task, served.prediction, joined.outcome)
        at, example, warmup = served.at, served.prediction_id, judgement.warmup
        findings: list[Finding] | None = None
        for series in version.route(served.slices, judgement):
            change = series.learn(at, loss, example, warmup)
            made: Finding | None = None
            if series.finding is not None:
                made = _close(series, joined.outcome_at, proven_at)
            elif change is not None and change.after > change.before:
                onset_at = series.history.onset(2 * change.kept)
                made = self._judge(version, served.version, onset_at, judgement)
                if made is not None:
                    made = self._open(version, made, joined.outcome_at, proven_at)
            if made is not None:
                findings = [*(findings or ()), made]
        return findings or ()

    def _judge(self, version: Version, name: str, onset_at: float, judgement: Judgement) -> Finding | None:
        found = culprit(version.series, onset_at)
        series = version.series[found.slice]
        explained = series.finding is not None or version.series[ALL].finding is not None
        if explained or not is_worse(found, judgement.minimum_increase) or not is_still_there(found, series):
            return None
        return self._finding(name, found, series, onset_at)

    def _open(self, version: Version, finding: Finding, at: float, proven_at: float | None) -> Finding:
        series = version.series[finding.slice]
        series.episode = finding.episode
        series.detector.restart()
        series.finding = msgspec.structs.replace(finding, detected_at=at, proven_at=proven_at)
        return series.finding

    def _finding(self, version: str, found: Harm, series: Series, onset_at: float) -> Finding:
        before, after = series.shown(found.before.mean), series.shown(found.after.mean)
        where = "" if found.slice == ALL else f" where {found.slice}"
        since = datetime.fromtimestamp(onset_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        episode = series.episode + 1
        return Finding(
            id=finding_id(self.model, version, found.slice, series.metric, episode),
            state="open",
            severity="page",
            model=self.model,
            version=version,
            slice=found.slice,
            metric=series.metric,
            direction="worse",
            before=before,
            after=after,
            before_count=found.before.losses,
            after_count=found.after.losses,
            onset_at=onset_at,
            detected_at=onset_at,
            events_since_onset=found.after.losses,
            episode=episode,
            examples=series.examples,
            causes=tuple(self._causes(onset_at)),
            summary=f"{self.model} version {version}{where}: {series.metric} went from {before:.3g} "
            f"to {after:.3g} since {since}.",
        )

    def _causes(self, onset_at: float) -> Iterator[str]:
        for version, (at, stage) in sorted(self.rollouts.items()):
            if 0 <= onset_at - at <= SUSPECT_S:
                yield f"rollout of {version} to {stage}, {onset_at - at:.0f} s before the onset"


def _is_sound(version: Version, served: Served, joined: Joined) -> bool:
    assert joined.outcome is not None
    task = version.task
    return task_of(served) == task and is_comparable(task, served.prediction, joined.outcome)


def _revise(version: Version, served: Served, joined: Joined, judgement: Judgement) -> None:
    """Put a correction into the figures, if what it corrects is in them."""
    task, previous, outcome = version.task, joined.previous, joined.outcome
    assert previous is not None
    assert outcome is not None
    if is_comparable(task, served.prediction, previous):
        was, now = loss_of(task, served.prediction, previous), loss_of(task, served.prediction, outcome)
        for series in version.route(served.slices, judgement):
            series.revise(was, now)


def _note(reason: Reason, route: Sequence[Series]) -> None:
    """Count in each slice what did not match."""
    for series in route:
        if reason is Reason.UNMATCHED_PREDICTION or reason is Reason.EVICTED:
            series.unmatched += 1
        elif reason is Reason.LATE:
            series.late += 1
        elif reason is Reason.CORRECTED:
            series.corrected += 1
        else:
            series.duplicates += 1


def _close(series: Series, at: float, proven_at: float | None) -> Finding | None:
    """Close the series' finding when a fresh window says that the loss is back below the middle."""
    finding = series.finding
    if finding is None or series.detector.width < RECOVERED:
        return None
    middle = (finding.before + finding.after) / 2
    mean = series.shown(series.fresh_mean())
    if not (mean >= middle if series.task == "classification" else mean <= middle):
        return None
    series.finding = None
    return msgspec.structs.replace(finding, state="closed", closed_at=at, proven_at=proven_at)


def finding_id(model: str, version: str, where: str, metric: str, episode: int) -> str:
    """Return the id of one episode: the same events give the same id, whatever was restarted in between."""
    content = "\0".join((model, version, where, metric, str(episode)))
    return sha256(content.encode()).hexdigest()[:24]
