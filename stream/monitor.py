"""Core. One model's monitor: joined events in, findings out.

Every version has one series per slice. A change that some series proves is attributed to a slice; it becomes a
finding when the loss rose enough, is still high, and no open finding explains it already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from stream.diagnosis import Harm, culprit, is_explained, is_still_there, is_worse, onset_of, recovery_of
from stream.events import ALL, Finding, Label, Prediction, RolledOut, Rollout, Stage, Task, finding_id
from stream.instant import in_words
from stream.joined import Joined, Reason, Served
from stream.judge.guard import Guard
from stream.judge.known import guards
from stream.reference import Reference, moved
from stream.room import VERSIONS, forget_oldest_stage, make_room
from stream.series import Series, is_comparable, loss_of, task_of
from stream.tickets import look
from stream.version import Judgement, Version

LATE = 2.0
"""Mean label delays by which harm may have begun before the labels show it: at least half come within them."""
LOOKED_AT = 8
"""Losses between two looks whether a harm is over."""
SUSPECT_S = 3_600.0
"""A rollout this long before the onset, or less, is named as a possible cause."""
RECKONED = 50
"""Labels of a version between two looks at how many come in a week."""
EASED = 0.5
"""The share of its evidence that a series keeps when what it proved is not, or not yet, worth a page."""
MATCHED: Final = Reason.MATCHED
MISMATCHED: Final = "mismatched"
"""The outcome is not of the prediction's kind, or the prediction not of its version's."""
FORGOTTEN: Final = "forgotten"
"""The prediction's version had to make room for others."""
FORGOTTEN_VERSION: Final = "forgotten_version"
"""Counts versions, not events."""


class Monitor(Struct, array_like=True, gc=False):
    """The live state of one model: its versions, their latest stages, and counts by reason."""

    model: str
    versions: dict[str, Version] = {}
    counts: dict[str, int] = {}
    rollouts: dict[str, tuple[float, Stage]] = {}

    def rolled_out(self, rollout: Rollout) -> None:
        """Remember a version's latest stage, whatever the order of arrival; of one instant the last counts."""
        known = self.rollouts.get(rollout.version)
        if known is None or rollout.at >= known[0]:
            self.rollouts[rollout.version] = (float(rollout.at), rollout.stage)
            forget_oldest_stage(self.rollouts, self.versions)

    def predicted(
        self, prediction: Prediction, served: Served, judgement: Judgement, proven_at: float | None = None
    ) -> Sequence[Finding]:
        """Count a new prediction in each of its slices, and compare its features; return tickets for drifts."""
        version = self.versions.get(served.version) or self._begin(served, judgement)
        for series in version.route(served.slices, judgement, self.versions):
            series.predictions += 1
            if served.at > series.newest_at:
                series.newest_at = served.at
        reference = version.reference
        looked = reference.observe(prediction)
        if not looked:
            return ()
        limit = judgement.drift_limit(len(reference.features))
        found = (look(reference, name, served, limit, proven_at) for name in looked)
        return [one for one in found if one is not None]

    def take(
        self, joined: Joined, judgement: Judgement, proven_at: float | None
    ) -> tuple[str, Sequence[Finding]]:
        """Fold one result of the join; return what it counts as, and the findings that it opened or closed."""
        reason, served = joined.reason, joined.served
        counted: str = reason
        findings: Sequence[Finding] = ()
        if served is not None:
            version = self.versions.get(served.version)
            if version is None and len(self.versions) >= VERSIONS:
                counted = FORGOTTEN
            else:
                version = version or self._begin(served, judgement)
                counted, findings = self._note(version, served, joined, judgement, proven_at)
        self._count(counted)
        return counted, findings

    def _count(self, reason: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1

    def _note(
        self,
        version: Version,
        served: Served,
        joined: Joined,
        judgement: Judgement,
        proven_at: float | None,
    ) -> tuple[str, Sequence[Finding]]:
        """Put what the join found into the figures: these hold the newest outcome of each prediction, if sound."""
        reason = joined.reason
        is_sound = joined.outcome is None or _is_sound(version, served, joined.outcome)
        if is_sound and reason is MATCHED:
            return reason, self._learn(version, served, joined, judgement, proven_at)
        route = version.route(served.slices, judgement, self.versions)
        if is_sound:
            for series in route:
                series.count(reason)
        if reason is Reason.CORRECTED:
            assert joined.previous is not None
            if not _is_sound(version, served, joined.previous):
                if is_sound:
                    return reason, self._learn(version, served, joined, judgement, proven_at)
            elif is_sound:
                _revise(version.task, served, joined, route)
            else:
                _withdraw(version.task, served, joined.previous, route)
        return reason if is_sound else MISMATCHED, ()

    def _begin(self, served: Served, judgement: Judgement) -> Version:
        """Return a new version, with the references that it is held against; what has no room beside it goes."""
        task = task_of(served)
        inherited = self._references(task, judgement.slice_budget) or guards(
            judgement.references, self.model, task, judgement.minimum_increase
        )
        elder = next(reversed(self.versions.values()), None)
        reference = elder.reference.heir() if elder is not None else Reference()
        for _ in range(make_room(self.versions, self.rollouts, judgement.slice_budget)):
            self._count(FORGOTTEN_VERSION)
        version = self.versions[served.version] = Version(task, inherited=inherited, reference=reference)
        return version

    def _references(self, task: Task, most: int) -> dict[str, Guard]:
        """Return what a new version is held against: that of the newest version, then what that inherited."""
        elder = next(reversed(self.versions.values()), None)
        if elder is None or elder.task != task:
            return {}
        own = {name: one.guard for name, one in elder.series.items()}
        known = own | {name: guard for name, guard in elder.inherited.items() if name not in own}
        heirs = ((name, heir) for name, guard in known.items() if (heir := guard.heir()) is not None)
        return dict(islice(heirs, most))

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
        # a clock that runs ahead puts no onset into the future, and its label came at once
        at, example, warmup = min(served.at, joined.outcome_at), served.prediction_id, judgement.warmup
        findings: list[Finding] | None = None
        arl, increase = version.arl, judgement.minimum_increase
        delay_s = joined.outcome_at - at
        version.delay_total_s += delay_s
        version.delay_squares += delay_s * delay_s
        route = version.route(served.slices, judgement, self.versions)
        if not route[0].outcomes % RECKONED:
            version.reckon(at, route, judgement)
        is_mature = version.is_mature and joined.outcome_at - route[0].newest_at <= version.patience_s
        for series in route:
            suspect = series.learn(at, loss, example, warmup, arl, increase, is_mature)
            made: Finding | None = None
            if series.finding is not None:
                made = _close(series, loss, joined.outcome_at, proven_at, increase)
            elif suspect:
                made = self._judge(version, served.version, series, suspect, judgement)
                if made is not None:
                    made = self._open(version, made, joined.outcome_at, proven_at)
            if made is not None:
                findings = [*(findings or ()), made]
        return findings or ()

    def _judge(
        self, version: Version, name: str, suspected: Series, newest: int, judgement: Judgement
    ) -> Finding | None:
        """Say what is behind an alarm of one series whose onset lies within its ``newest`` losses."""
        increase = judgement.minimum_increase
        found = culprit(version.series, onset_of(suspected, newest, increase).at, increase)
        series = version.series[found.slice]
        if is_explained(version.series, suspected, series, increase):
            suspected.guard.calm()
            return None
        if not is_worse(found, increase) or not is_still_there(found, series):
            suspected.guard.ease(EASED)
            return None
        return self._finding(name, found, series, version, increase)

    def _open(self, version: Version, finding: Finding, at: float, proven_at: float | None) -> Finding:
        series = version.series[finding.slice]
        series.episode = finding.episode
        series.detector.restart()
        series.guard.calm()
        series.guard.freeze()
        series.finding = msgspec.structs.replace(finding, detected_at=at, proven_at=proven_at)
        return series.finding

    def _finding(self, version: str, found: Harm, series: Series, of: Version, increase: float) -> Finding:
        delay_s = LATE * of.delay_total_s / max(of.series[ALL].outcomes, 1)
        onset_at = found.onset_at
        before, after = series.shown(found.before.mean), series.shown(found.after.mean)
        where = "" if found.slice == ALL else f" where {found.slice}"
        since = in_words(onset_at)
        episode = series.episode + 1
        within = onset_of(series, 2 * found.after.losses, increase)
        rollouts = tuple(self._rollouts_before(onset_at))
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
            onset_after=min(within.after, onset_at) - delay_s,
            onset_before=max(within.before, onset_at),
            detected_at=onset_at,
            events_since_onset=found.after.losses,
            episode=episode,
            examples=series.examples,
            causes=(*_in_words(rollouts, onset_at), *moved(of.reference)),
            rollouts=rollouts,
            summary=f"{self.model} version {version}{where}: {series.metric} went from {before:.3g} "
            f"to {after:.3g} since {since}.",
        )

    def _rollouts_before(self, onset_at: float) -> Iterator[RolledOut]:
        for version, (at, stage) in sorted(self.rollouts.items()):
            if 0 <= onset_at - at <= SUSPECT_S:
                yield RolledOut(version=version, stage=stage, at=at)


def _in_words(rollouts: Sequence[RolledOut], onset_at: float) -> Iterator[str]:
    for one in rollouts:
        yield f"rollout of {one.version} to {one.stage}, {onset_at - one.at:.0f} s before the onset"


def _is_sound(version: Version, served: Served, outcome: Label) -> bool:
    task = version.task
    return task_of(served) == task and is_comparable(task, served.prediction, outcome)


def _revise(task: Task, served: Served, joined: Joined, route: Sequence[Series]) -> None:
    """Put a correction into the figures in the place of what it corrects."""
    previous, outcome = joined.previous, joined.outcome
    assert previous is not None
    assert outcome is not None
    was, now = loss_of(task, served.prediction, previous), loss_of(task, served.prediction, outcome)
    for series in route:
        series.revise(was, now)


def _withdraw(task: Task, served: Served, previous: Label, route: Sequence[Series]) -> None:
    """Take an outcome out of the figures: its correction can't be held against the prediction."""
    was = loss_of(task, served.prediction, previous)
    for series in route:
        series.withdraw(was)


def _close(
    series: Series, loss: float, at: float, proven_at: float | None, increase: float
) -> Finding | None:
    """Take a loss since the page; close the series' finding when those prove that its harm is over."""
    finding, guard = series.finding, series.guard
    assert finding is not None
    found = guard.recovery
    if found is None or found.ended:
        found = guard.recovery = recovery_of(series, finding, increase)
    found.take(loss)
    if series.outcomes % LOOKED_AT or guard.suspected() or not found.is_over(series.task, guard.inflation):
        return None
    found.ended = series.outcomes
    guard.calm()
    guard.resume()
    series.finding = None
    return msgspec.structs.replace(finding, state="closed", closed_at=at, proven_at=proven_at)
