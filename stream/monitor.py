"""Core. One model's monitor: joined events in, findings out.

Every version has one series per slice. A change that some series proves is attributed to a slice; it becomes a
finding when the loss rose enough, is still high, and no open finding explains it already.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import partial
from math import inf
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stream.carried import WAITS_S
from stream.clock import UNTIMED, Clock
from stream.correction import correct, is_sound
from stream.ending import IDLES, MADE_ROOM, OTHER_TASK, RETIRED, end_idle, end_of, last_episode, turn
from stream.error_windows import ErrorWindows
from stream.events import ALL, Errors, Finding, Prediction, Rollout, Stage
from stream.harm_finding import Around
from stream.health import Health
from stream.inheritance import catch_up, new_version
from stream.joined import MISMATCHED, Joined, Reason, Served
from stream.judging import Judge
from stream.lineage import SHADOW, is_back, is_member, is_over, joins, judged_by, may_tell, rest, told_until
from stream.producers import Producers
from stream.room import FORGOTTEN, FORGOTTEN_VERSION, make_room, remember
from stream.rows import row_of, with_class
from stream.series import Series, loss_of, widest
from stream.tickets import look
from stream.uneven import Uneven
from stream.version import Judgement, Version, served_until, stage_of

MATCHED: Final = Reason.MATCHED


class Monitor(Struct, array_like=True, gc=False):
    """The live state of one model: its versions, stages, ends of training, counts by reason, errors and news."""

    model: str
    versions: dict[str, Version] = {}
    counts: dict[str, int] = {}
    rollouts: dict[str, tuple[float, Stage]] = {}
    health: Health = msgspec.field(default_factory=Health)
    windows: ErrorWindows = msgspec.field(default_factory=ErrorWindows)
    news: Errors | None = None
    label_horizon_s: float = 3 * 86_400.0
    """As the settings say; a fold sets it."""
    producers: Producers = msgspec.field(default_factory=Producers)
    forgotten_episode: int = 0
    """The highest episode of the versions that were forgotten."""
    first: tuple[str, int] | None = None
    """Topic and offset of its first prediction: those before it were refused (``stream.admission``)."""
    forgotten_until: float = -inf
    """Event time of the newest prediction of the versions that were forgotten."""
    trained: dict[str, float] = {}
    lineage: Version | None = None
    """All versions as one, while one is too young, or back for too short, to be judged alone."""

    def newest(self) -> tuple[str, bool]:
        """Return the newest version, empty before one, and whether the model is served: not all have retired."""
        is_served = any(stage_of(one, self.rollouts) != "retired" for one in self.versions)
        return next(reversed(self.versions), ""), is_served

    def rolled_out(self, rollout: Rollout, proven_at: float | None = None) -> tuple[bool, Sequence[Finding]]:
        """Remember a version's latest stage, of one instant the last; return if it is news, and what ends."""
        known_at, before = self.rollouts.get(rollout.version, (-inf, ""))
        if rollout.at < known_at:
            return False, ()
        remember(rollout, self.rollouts, self.trained, self.versions)
        return before != rollout.stage, turn(self.versions, before, rollout, self.rollouts, proven_at)

    def end_idle(self, at: float, proven_at: float | None) -> list[Finding]:
        """Return what is closed by ``at``, the partition's clock, since it is of what serves nobody any more."""
        lineage = self.lineage
        judged = self.versions if lineage is None else {**self.versions, "": lineage}
        ended = end_idle(judged, self.rollouts, self.label_horizon_s, at, proven_at)
        is_off = all(stage_of(one, self.rollouts) in IDLES for one in self.versions)
        if lineage is not None and is_off and at - served_until(lineage) > WAITS_S:
            ended += self._end_lineage(lineage, RETIRED, at, proven_at)
        return ended

    def predicted(
        self,
        prediction: Prediction,
        served: Served,
        judgement: Judgement,
        proven_at: float | None = None,
        clock: Clock = UNTIMED,
    ) -> Sequence[Finding]:
        """Count a new prediction in each of its slices, and compare its features; return tickets for drifts.

        Before them what ends with versions that make room for its own. ``clock`` is the partition's.
        """
        ended: Sequence[Finding] = ()
        version = self.versions.get(served.version)
        if version is None:
            version, ended = self._begin(served, judgement, proven_at)
        elif joins(version, served.at):
            self._judge_together(served, judgement)
        version.count(served, judgement, self.versions)
        if self.lineage is not None and self._has(self.lineage, served, IDLES):
            self.lineage.count(served, judgement, self.versions)
        if served.scores is not None and version.task == "classification":
            version.confidence.predicted(served.at, served.prediction, served.scores, clock.at)
        looked = version.reference.observe(prediction)
        if not looked or stage_of(served.version, self.rollouts) == "retired":
            return ended
        limit = judgement.drift_limit(len(version.reference.features))
        versions = self.versions.values()
        found = (look(version, name, served, limit, proven_at, versions) for name in looked)
        return [*ended, *(one for one in found if one is not None)]

    def bins(self, prediction: Prediction) -> bytes:
        """Return the bins of a prediction's inputs, for its row; empty while there are none."""
        return row_of(self.versions[prediction.version].reference, prediction)

    def take(
        self, joined: Joined, judgement: Judgement, proven_at: float | None, clock: Clock = UNTIMED
    ) -> tuple[str, Sequence[Finding]]:
        """Fold one result of the join; return what it counts as, and the findings that it opened or closed.

        ``clock`` is the partition's, for when labels came. Its prediction came before: a version that is not
        known any more had to make room, and no outcome brings it back.
        """
        reason, served = joined.reason, joined.served
        counted: str = reason
        findings: Sequence[Finding] = ()
        if served is not None:
            version = self.versions.get(served.version)
            if version is None:
                counted = FORGOTTEN
            else:
                counted, findings = self._note(version, served, joined, judgement, proven_at, clock)
                if findings:
                    version.heed_findings()
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
        if reason is Reason.CORRECTED and served.at <= version.forgotten_until:
            return FORGOTTEN, ()  # what it corrects may have gone with a version of this name
        is_right = joined.outcome is None or is_sound(version.task, served, joined.outcome)
        if reason is MATCHED:
            if is_right:
                return reason, self._learn(version, served, joined, judgement, proven_at, clock)
            self.health.maturity.heard(clock.at, clock.lost_s)
        route = version.route(served, judgement, self.versions)
        if is_right:
            for series in route:
                series.count(reason)
        found: list[Finding] = []
        if reason is Reason.CORRECTED:
            assert joined.previous is not None
            if is_sound(version.task, served, joined.previous):
                corrected = correct(version, served, joined, route, judgement)
                self.health.maturity.revised(served.at, corrected.more, corrected.losses)
                found = [*corrected.findings, *self._corrected_together(served, joined, judgement)]
            elif is_right:
                return reason, self._learn(version, served, joined, judgement, proven_at, clock)
        return reason if is_right else MISMATCHED, tuple(replace(one, proven_at=proven_at) for one in found)

    def _begin(
        self, served: Served, judgement: Judgement, proven_at: float | None
    ) -> tuple[Version, list[Finding]]:
        """Return a new version, and what ends with those that have no room beside it."""
        trained_until = self.trained.get(served.version, -inf)
        ended: list[Finding] = []
        made = new_version(served, self.versions, judgement, self.label_horizon_s, trained_until)
        made.forgotten_episode, made.forgotten_until = self.forgotten_episode, self.forgotten_until
        for one in make_room(self.versions, self.rollouts, judgement.slice_budget):
            self._count(FORGOTTEN_VERSION)
            self.forgotten_episode = max(self.forgotten_episode, last_episode(one))
            self.forgotten_until = max(self.forgotten_until, served_until(one))
            ended += end_of(one, MADE_ROOM, served.at, proven_at)
        is_served = stage_of(served.version, self.rollouts) not in IDLES
        if self.lineage is not None and self.lineage.task != made.task and is_served:
            ended += self._end_lineage(self.lineage, OTHER_TASK, served.at, proven_at)
        self._judge_together(served, judgement)
        if self.lineage is not None:
            self.lineage.forgotten_episode = self.forgotten_episode
            self.lineage.routes.known.clear()  # as those of the versions, when others made room
        self.versions[served.version] = made
        return made, ended

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
        # a clock that runs ahead puts no onset into the future, and its label came at once
        at, arl = min(served.at, joined.outcome_at), version.arl
        stage = stage_of(served.version, self.rollouts)
        scale = version.series[ALL].scale
        self.health.labelled(served.at, joined.outcome_at, loss, scale, clock, proven_at)
        route = self._sum(version, served, joined, at, loss, judgement)
        version.confidence.labelled(served.at, served.prediction, served.scores, not loss)
        lineage = self.lineage
        if lineage is not None and not self._has(lineage, served, SHADOW):
            lineage = None
        if version.task == "classification" and stage != "shadow":
            told = route if lineage is None else (*route, *lineage.route(served, judgement, self.versions))
            self.news = self.windows.note(self.model, joined.outcome_at, loss, told, proven_at)
        around, maturity = Around(self.versions, self.rollouts, self.producers), self.health.maturity
        known_at = joined.outcome_at
        judge = Judge(served, loss, at, known_at, proven_at, around, self.windows, maturity, judgement)
        is_fair = version.is_fair(joined) and stage != "retired"
        if lineage is None:
            return judge.judged(version, route, joined, is_fair, arl)
        is_fair = is_fair and not is_back(version, lineage)
        is_told = lineage.is_harmed()  # while it is, no version tells it again, nor learns from it
        findings = judge.judged(version, route, joined, is_fair and not is_told, arl)
        may_open = is_told or may_tell(served.version, is_fair, self.versions, self.rollouts)
        until = partial(told_until, lineage, self.versions, self.rollouts)
        of_all = judge._replace(may_open=may_open, told_until=until)
        return [*findings, *self._judged_together(lineage, joined, of_all)]

    def _sum(
        self, version: Version, served: Served, joined: Joined, at: float, loss: float, judgement: Judgement
    ) -> tuple[Series, ...]:
        """Put a label into the sums; return the series that it is of."""
        assert joined.outcome is not None
        route = version.route(served, judgement, self.versions)
        version.sums.take((at, route, served.prediction, joined.outcome, served.scores, 1.0))
        if served.bins:
            where = with_class(served.slices, version.task, joined.outcome)
            version.rows.add(at, min(loss, widest(route) or loss), where, served.bins)
        maturity, known_at = self.health.maturity, joined.outcome_at
        if version.ripens(at, known_at, len(route), judgement, maturity.development):
            catch_up(version, self.versions, judgement)
        if version.settles_s:
            uneven = Uneven(version, version is self.lineage, maturity, known_at)
            uneven.heed(self.model, self.versions, judgement)
        return route

    def _has(self, lineage: Version, served: Served, without: Container[Stage]) -> bool:
        return is_member(lineage, served, self.versions, self.rollouts, without)

    def _judge_together(self, served: Served, judgement: Judgement) -> None:
        """Go on, or begin, with a lineage if there is to be one with this prediction."""
        known = self.versions, self.rollouts, judgement, self.label_horizon_s
        found = judged_by(self.lineage, served, *known)
        if found is not None and self.lineage is None:
            found.forgotten_episode = self.forgotten_episode
        self.lineage = found

    def _judged_together(self, lineage: Version, joined: Joined, judge: Judge) -> list[Finding]:
        """Judge a label with those of all versions."""
        arl = lineage.arl
        route = self._sum(lineage, judge.served, joined, judge.since, judge.loss, judge.judgement)
        found = judge.judged(lineage, route, joined, lineage.is_fair(joined), arl)
        if found:
            lineage.heed_findings()
            rest(lineage, self.versions)
        if is_over(lineage, self.versions, self.rollouts, judge.since):
            self._forget_lineage(lineage)
        return found

    def _corrected_together(self, served: Served, joined: Joined, judgement: Judgement) -> list[Finding]:
        """Put a correction into the lineage, if that had what it corrects: it began before the prediction."""
        lineage = self.lineage
        if lineage is None or served.at < lineage.began_at or not self._has(lineage, served, SHADOW):
            return []
        route = lineage.route(served, judgement, self.versions)
        found = correct(lineage, served, joined, route, judgement).findings
        if found:
            lineage.heed_findings()
        return found

    def _forget_lineage(self, lineage: Version) -> None:
        self.forgotten_episode = max(self.forgotten_episode, last_episode(lineage))
        self.lineage = None

    def _end_lineage(self, lineage: Version, why: str, at: float, proven_at: float | None) -> list[Finding]:
        """Judge no versions together any more; return what that closes."""
        self._forget_lineage(lineage)
        return end_of(lineage, why, at, proven_at)
