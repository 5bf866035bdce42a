"""Core. One model's monitor: joined events in, findings out.

Every version has one series per slice. A change that some series proves is attributed to a slice; it becomes a
finding when the loss rose enough, is still high, and no open finding explains it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stream.aspect import Case
from stream.aspect_change import change_told, is_page, note
from stream.aspect_known import known_aspects
from stream.clock import UNTIMED, Clock
from stream.closing import close
from stream.confidence import Confidence
from stream.correction import is_sound, revise, withdraw
from stream.cycle import Rise
from stream.diagnosis import culprit, is_explained, is_still_there, is_unusual, onset_of
from stream.error_windows import ANY, ErrorWindows
from stream.events import ALL, Errors, Finding, Prediction, Rollout, Stage, Task
from stream.harm_finding import change_of_errors, harm_finding
from stream.health import Health
from stream.joined import Joined, Reason, Served
from stream.judge.guard import Guard
from stream.judge.known import guards
from stream.reference import Reference
from stream.room import VERSIONS, forget_oldest_stage, make_room
from stream.rows import row_of
from stream.series import Series, loss_of, task_of
from stream.tickets import look
from stream.version import Judgement, Version

RECKONED = 50
"""Labels of a version between two looks at how many come in a week."""
MATCHED: Final = Reason.MATCHED
MISMATCHED: Final = "mismatched"
"""The outcome is not of the prediction's kind, or the prediction not of its version's."""
FORGOTTEN: Final = "forgotten"
"""The prediction's version had to make room for others."""
FORGOTTEN_VERSION: Final = "forgotten_version"
"""Counts versions, not events."""


class Monitor(Struct, array_like=True, gc=False):
    """The live state of one model: its versions, their latest stages, counts by reason, errors and their news."""

    model: str
    versions: dict[str, Version] = {}
    counts: dict[str, int] = {}
    rollouts: dict[str, tuple[float, Stage]] = {}
    health: Health = msgspec.field(default_factory=Health)
    windows: ErrorWindows = msgspec.field(default_factory=ErrorWindows)
    news: Errors | None = None
    label_horizon_s: float = 3 * 86_400.0
    """As the settings say; a fold sets it."""

    def newest(self) -> tuple[str, bool]:
        """Return the newest version, empty before one, and whether the model is served: not all have retired."""
        is_served = any(
            name not in self.rollouts or self.rollouts[name][1] != "retired" for name in self.versions
        )
        return next(reversed(self.versions), ""), is_served

    def rolled_out(self, rollout: Rollout) -> bool:
        """Remember a version's latest stage, of one instant the last; return whether it came to another one."""
        known = self.rollouts.get(rollout.version)
        if known is not None and rollout.at < known[0]:
            return False
        self.rollouts[rollout.version] = (float(rollout.at), rollout.stage)
        forget_oldest_stage(self.rollouts, self.versions)
        return known is None or known[1] != rollout.stage

    def predicted(
        self,
        prediction: Prediction,
        served: Served,
        judgement: Judgement,
        proven_at: float | None = None,
        clock: Clock = UNTIMED,
    ) -> Sequence[Finding]:
        """Count a new prediction in each of its slices, and compare its features; return tickets for drifts.

        ``clock`` is the partition's.
        """
        version = self.versions.get(served.version) or self._begin(served, judgement)
        for series in version.route(served.slices, judgement, self.versions):
            series.predictions += 1
            if served.at > series.newest_at:
                series.newest_at = served.at
        if served.scores is not None and version.task == "classification":
            version.confidence.predicted(served.at, served.prediction, served.scores, clock.at)
        reference = version.reference
        looked = reference.observe(prediction)
        if not looked:
            return ()
        limit = judgement.drift_limit(len(reference.features))
        found = (look(reference, name, served, limit, proven_at) for name in looked)
        return [one for one in found if one is not None]

    def bins(self, prediction: Prediction) -> bytes:
        """Return the bins of a prediction's inputs, for its row; empty while there are none."""
        return row_of(self.versions[prediction.version].reference, prediction)

    def take(
        self, joined: Joined, judgement: Judgement, proven_at: float | None, clock: Clock = UNTIMED
    ) -> tuple[str, Sequence[Finding]]:
        """Fold one result of the join; return what it counts as, and the findings that it opened or closed.

        ``clock`` is the partition's, for when labels came.
        """
        reason, served = joined.reason, joined.served
        counted: str = reason
        findings: Sequence[Finding] = ()
        if served is not None:
            version = self.versions.get(served.version)
            if version is None and len(self.versions) >= VERSIONS:
                counted = FORGOTTEN
            else:
                version = version or self._begin(served, judgement)
                counted, findings = self._note(version, served, joined, judgement, proven_at, clock)
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
        clock: Clock,
    ) -> tuple[str, Sequence[Finding]]:
        """Put what the join found into the figures: these hold the newest outcome of each prediction, if sound."""
        reason = joined.reason
        is_right = joined.outcome is None or is_sound(version.task, served, joined.outcome)
        if is_right and reason is MATCHED:
            return reason, self._learn(version, served, joined, judgement, proven_at, clock)
        route = version.route(served.slices, judgement, self.versions)
        if is_right:
            for series in route:
                series.count(reason)
        found: list[Finding] = []
        if reason is Reason.CORRECTED:
            assert joined.previous is not None
            if not is_sound(version.task, served, joined.previous):
                if is_right:
                    return reason, self._learn(version, served, joined, judgement, proven_at, clock)
            elif is_right:
                more, found = revise(version, served, joined, route, judgement.minimum_increase)
                self.health.maturity.revised(served.at, more, 0)
            else:
                gone = withdraw(version, served, joined.previous, route)
                self.health.maturity.revised(served.at, -gone, -1)
        findings = tuple(replace(one, proven_at=proven_at) for one in found)
        return reason if is_right else MISMATCHED, findings

    def _begin(self, served: Served, judgement: Judgement) -> Version:
        """Return a new version, with the references that it is held against; what has no room beside it goes."""
        task = task_of(served)
        inherited = self._references(task, judgement.slice_budget) or guards(
            judgement.references, self.model, task, judgement.minimum_increase
        )
        elder = next(reversed(self.versions.values()), None)
        reference = elder.reference.heir() if elder is not None else Reference()
        aspects = known_aspects(judgement.references, self.model, task, judgement.minimum_increase)
        for _ in range(make_room(self.versions, self.rollouts, judgement.slice_budget)):
            self._count(FORGOTTEN_VERSION)
        confidence = Confidence(self.label_horizon_s)
        made = Version(task, inherited=inherited, reference=reference, confidence=confidence, aspects=aspects)
        if elder is not None and elder.task == task:
            made.aspects, made.learned_from = elder.aspects.heirs().over(aspects), elder.learned_from
        self.versions[served.version] = made
        return made

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
        clock: Clock,
    ) -> Sequence[Finding]:
        assert joined.outcome is not None
        loss = loss_of(version.task, served.prediction, joined.outcome)
        findings: list[Finding] | None = None
        # a clock that runs ahead puts no onset into the future, and its label came at once
        at, example = min(served.at, joined.outcome_at), served.prediction_id
        arl, increase, delay_s = version.arl, judgement.minimum_increase, joined.outcome_at - at
        self.health.labelled(at, joined.outcome_at, loss, clock, proven_at)
        version.delay_total_s += delay_s
        version.delay_squares += delay_s * delay_s
        route = version.route(served.slices, judgement, self.versions)
        version.sums.take((at, route, served.prediction, joined.outcome, served.scores, 1.0))
        version.confidence.labelled(served.at, served.prediction, served.scores, not loss)
        if not route[0].outcomes % RECKONED:
            version.reckon(at, route, judgement)
        if version.task == "classification" and self.rollouts.get(served.version, ANY)[1] != "shadow":
            self.news = self.windows.note(self.model, joined.outcome_at, loss, route, proven_at)
        is_mature = version.is_mature and joined.outcome_at - route[0].newest_at <= version.patience_s
        if served.bins:
            version.rows.add(at, min(loss, route[0].scale or loss), served.slices, served.bins)
        for series in route:
            suspect = series.learn(at, loss, example, judgement.warmup, arl, increase, is_mature)
            made: Finding | None = None
            if series.finding is not None:
                made = close(series, loss, joined.outcome_at, proven_at, increase)
            elif suspect:
                made = self._judge(version, served, series, suspect, judgement, joined.outcome_at, proven_at)
            if made is not None:
                findings = [*(findings or ()), made]
        if is_mature and version.aspects.are_due(route[0].outcomes):
            findings = self._beside(version, served, joined, judgement, proven_at, findings)
        return findings or ()

    def _judge(
        self,
        version: Version,
        served: Served,
        suspected: Series,
        newest: int,
        judgement: Judgement,
        at: float,
        proven_at: float | None,
    ) -> Finding | None:
        """Open what is behind an alarm of one series whose onset lies within its ``newest`` losses."""
        increase = judgement.minimum_increase
        onset = onset_of(suspected, newest, increase)
        if onset.after <= version.aspects.told_at():
            suspected.guard.ease()
            return None
        found = culprit(version.series, onset.at, increase)
        series = version.series[found.slice]
        if is_explained(version.series, suspected, series, increase):
            suspected.guard.calm()
            return None
        rise = self._rise(version, found.onset_at, judgement)
        if not is_still_there(found, series) or not is_unusual(found, series, rise):
            suspected.guard.ease()
            return None
        change = change_of_errors(version, found, increase, self.windows)
        series.open(harm_finding(served, version, change, self.rollouts, at, proven_at))
        return series.finding

    def _rise(self, version: Version, since: float, judgement: Judgement) -> Rise:
        """Return what a rise since an onset is held against; a reference from a file knows all hours."""
        least, known = judgement.minimum_increase, version.series[ALL].guard.reference().mean
        rise = self.health.maturity.rise(since, known, least)
        return rise._replace(least=least, is_known=True) if self.model in judgement.references else rise

    def _beside(
        self,
        version: Version,
        served: Served,
        joined: Joined,
        judgement: Judgement,
        proven_at: float | None,
        findings: list[Finding] | None,
    ) -> list[Finding] | None:
        """Judge by what is beside the errors; harm that these show as well is told by them, and where it is."""
        assert joined.outcome is not None
        at, increase = joined.outcome_at, judgement.minimum_increase
        case = Case(min(served.at, at), served.prediction_id, version.arl, increase)
        for one in version.aspects.take(version.task, served.prediction, joined.outcome, served.scores, case):
            made: Finding | None = None
            if one.aspect.finding is not None:
                made = one.aspect.close(one.loss, at, proven_at)
            elif one.is_proved and is_page(version, one, self._rise(version, one.aspect.since_at, judgement)):
                change = change_told(version, one, increase, self.windows)
                made = harm_finding(served, version, change, self.rollouts, at, proven_at)
                note(made, version, one, increase)
            if made is not None:
                findings = [*(findings or ()), made]
        return findings
