"""Core. One model's monitor: joined events in, findings out.

Every version has one series per slice. A change that some series proves is attributed to a slice; it becomes a
finding when the loss rose enough, is still high, and no open finding explains it already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from stream.diagnosis import Harm, culprit, is_still_there, is_worse
from stream.events import ALL, Finding, Instant, Rollout
from stream.join import Joined, Reason, Served
from stream.series import Series, is_comparable, task_of

OTHER = "__other__"
RECOVERED = 100
"""Losses that a fresh window must hold before it may say that a model has recovered."""
SUSPECT_S = 3_600.0
"""A rollout this long before the onset, or less, is named as a possible cause."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """When a change is worth a finding; see ``MonitorSettings``."""

    delta: float = 1e-4
    warmup: int = 200
    minimum_increase: float = 0.2
    slice_budget: int = 200


@dataclass(slots=True)
class Monitor:
    """The live state of one model: series by version and slice, open findings, counts by reason."""

    model: str
    versions: dict[str, dict[str, Series]] = field(default_factory=dict)
    open: dict[tuple[str, str], Finding] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rollouts: dict[str, tuple[float, str]] = field(default_factory=dict)

    def rolled_out(self, rollout: Rollout) -> None:
        """Remember a version's latest stage."""
        self.rollouts[rollout.version] = (float(rollout.at), rollout.stage)

    def take(
        self, joined: Joined, judgement: Judgement, proven_at: float | None
    ) -> tuple[str, list[Finding]]:
        """Fold one result of the join; return what it counts as, and the findings that it opened or closed."""
        reason: str = joined.reason.value
        served, outcome = joined.served, joined.outcome
        if served is not None and outcome is not None and not is_comparable(served, outcome):
            reason = "mismatched"
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if served is None or reason in ("mismatched", Reason.LATE):
            return reason, []
        if reason == Reason.MATCHED:
            return reason, [*self._learn(served, joined, judgement, proven_at)]
        if reason == Reason.CORRECTED:
            self._revise(served, joined, judgement)
        return reason, []

    def predicted(self, served: Served, judgement: Judgement) -> None:
        """Count a new prediction in each of its slices."""
        for _, series in self._series(served, judgement):
            series.predictions += 1
            series.newest_at = max(series.newest_at, served.at)

    def _series(self, served: Served, judgement: Judgement) -> Iterator[tuple[str, Series]]:
        version = self.versions.setdefault(served.version, {})
        for name in served.slices:
            series = version.get(name)
            if series is None:
                if len(version) >= judgement.slice_budget:
                    name = f"{name.partition('=')[0]}={OTHER}"
                series = version.get(name)
                if series is None:
                    series = Series(task_of(served), judgement.delta, judgement.warmup)
                    version[name] = series
            yield name, series

    def _revise(self, served: Served, joined: Joined, judgement: Judgement) -> None:
        assert joined.previous is not None
        assert joined.outcome is not None
        if is_comparable(served, joined.previous):
            for _, series in self._series(served, judgement):
                series.revise(served, joined.previous, joined.outcome)

    def _learn(
        self, served: Served, joined: Joined, judgement: Judgement, proven_at: float | None
    ) -> Iterator[Finding]:
        assert joined.outcome is not None
        for name, series in [*self._series(served, judgement)]:
            if series.task != task_of(served):
                continue
            change = series.learn(served, joined.outcome)
            finding = self.open.get((served.version, name))
            if finding is not None:
                if _has_recovered(finding, series):
                    yield self._close(finding, joined.outcome_at, proven_at)
            elif change is not None and change.after > change.before:
                onset_at = series.history.onset(2 * change.kept)
                yield from self._judge(served, onset_at, joined.outcome_at, judgement, proven_at)

    def _judge(
        self, served: Served, onset_at: float, at: float, judgement: Judgement, proven_at: float | None
    ) -> Iterator[Finding]:
        version = self.versions[served.version]
        found = culprit(version, onset_at)
        series = version[found.slice]
        explained = any((served.version, name) in self.open for name in (ALL, found.slice))
        if explained or not is_worse(found, judgement.minimum_increase) or not is_still_there(found, series):
            return
        series.episode += 1
        series.detector.restart()
        finding = self._finding(served.version, found, series, onset_at)
        finding = msgspec.structs.replace(finding, detected_at=at, proven_at=proven_at)
        self.open[served.version, found.slice] = finding
        yield finding

    def _finding(self, version: str, found: Harm, series: Series, onset_at: float) -> Finding:
        before, after = series.shown(found.before.mean), series.shown(found.after.mean)
        where = "" if found.slice == ALL else f" where {found.slice}"
        since = datetime.fromtimestamp(onset_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return Finding(
            id=finding_id(self.model, version, found.slice, series.metric, series.episode),
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
            episode=series.episode,
            examples=tuple(series.examples),
            causes=tuple(self._causes(onset_at)),
            summary=f"{self.model} version {version}{where}: {series.metric} went from {before:.3g} "
            f"to {after:.3g} since {since}.",
        )

    def _causes(self, onset_at: float) -> Iterator[str]:
        for version, (at, stage) in sorted(self.rollouts.items()):
            if 0 <= onset_at - at <= SUSPECT_S:
                yield f"rollout of {version} to {stage}, {onset_at - at:.0f} s before the onset"

    def _close(self, finding: Finding, at: float, proven_at: float | None) -> Finding:
        del self.open[finding.version, finding.slice]
        return msgspec.structs.replace(finding, state="closed", closed_at=at, proven_at=proven_at)


def _has_recovered(finding: Finding, series: Series) -> bool:
    if series.detector.width < RECOVERED:
        return False
    middle = (finding.before + finding.after) / 2
    mean = series.shown(series.detector.mean * (series.scale if series.task == "regression" else 1.0))
    return mean >= middle if series.task == "classification" else mean <= middle


def finding_id(model: str, version: str, where: str, metric: str, episode: int) -> str:
    """Return the id of one episode: the same events give the same id, whatever was restarted in between."""
    content = "\0".join((model, version, where, metric, str(episode)))
    return sha256(content.encode()).hexdigest()[:24]


def newest_at(monitor: Monitor) -> Instant:
    """Return the newest event time of any series; minus infinity for a model without predictions."""
    times = (one.newest_at for version in monitor.versions.values() for one in version.values())
    return Instant(max(times, default=float("-inf")))
