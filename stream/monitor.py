"""Core. One model's monitor: joined events in, findings out.

Every version has one series per slice. A change that some series proves is attributed to a slice; it becomes a
finding when the loss rose enough, is still high, and no open finding explains it already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stream.aspect import Case
from stream.aspect_change import change_told, is_page, note
from stream.attribution import harm_behind
from stream.clock import UNTIMED, Clock
from stream.closing import close
from stream.correction import correct, is_sound
from stream.cycle import Rise
from stream.diagnosis import is_still_there, is_unusual
from stream.ending import MADE_ROOM, end_of, last_episode, turn
from stream.error_windows import ErrorWindows
from stream.events import ALL, Errors, Finding, Prediction, Rollout, Stage
from stream.harm_finding import Around, change_of_errors, harm_finding
from stream.health import Health
from stream.inheritance import catch_up, new_version
from stream.joined import Joined, Reason, Served
from stream.producers import Producers
from stream.room import FORGOTTEN, FORGOTTEN_VERSION, make_room, remember
from stream.rows import row_of, with_class
from stream.scan import onset_in
from stream.series import Series, loss_of, widest
from stream.tickets import look
from stream.version import Judgement, Version, served_until, stage_of

MATCHED: Final = Reason.MATCHED
MISMATCHED: Final = "mismatched"
"""The outcome is not of the prediction's kind, or the prediction not of its version's."""


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
        for series in version.route(served, judgement, self.versions):
            series.predictions += 1
            if served.at > series.newest_at:
                series.newest_at = served.at
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
        if is_right and reason is MATCHED:
            return reason, self._learn(version, served, joined, judgement, proven_at, clock)
        route = version.route(served, judgement, self.versions)
        if is_right:
            for series in route:
                series.count(reason)
        found: list[Finding] = []
        if reason is Reason.CORRECTED:
            assert joined.previous is not None
            if is_sound(version.task, served, joined.previous):
                found = correct(version, served, joined, route, self.health.maturity, judgement)
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
        at, example = min(served.at, joined.outcome_at), served.prediction_id
        arl, increase = version.arl, judgement.minimum_increase
        stage = stage_of(served.version, self.rollouts)
        self.health.labelled(served.at, joined.outcome_at, loss, clock, proven_at)
        route = version.route(served, judgement, self.versions)
        version.sums.take((at, route, served.prediction, joined.outcome, served.scores, 1.0))
        version.confidence.labelled(served.at, served.prediction, served.scores, not loss)
        if version.ripens(at, joined.outcome_at, len(route), judgement):
            catch_up(version, self.versions, judgement)
        if version.task == "classification" and stage != "shadow":
            self.news = self.windows.note(self.model, joined.outcome_at, loss, route, proven_at)
        is_mature = version.is_fair(joined) and stage != "retired"
        if served.bins:
            where = with_class(served.slices, version.task, joined.outcome)
            version.rows.add(at, min(loss, widest(route) or loss), where, served.bins)
        touched = [  # all learn before one is judged
            one
            for one in route
            if one.learn(at, loss, example, judgement.warmup, arl, increase, is_mature)
            or one.finding is not None
        ]
        findings = self._errors(version, served, joined, touched, judgement, proven_at) if touched else None
        if is_mature and version.aspects.are_due(route[0].outcomes):
            findings = self._beside(version, served, joined, judgement, proven_at, findings)
        return findings or ()

    def _errors(
        self,
        version: Version,
        served: Served,
        joined: Joined,
        touched: Iterable[Series],
        judgement: Judgement,
        proven_at: float | None,
    ) -> list[Finding] | None:
        """Close what is over of series with an open finding, and open what is behind the alarms of others."""
        assert joined.outcome is not None
        loss, at = loss_of(version.task, served.prediction, joined.outcome), joined.outcome_at
        found = (
            self._judge(version, served, one, judgement, at, proven_at)
            if one.finding is None
            else close(one, loss, at, proven_at, judgement.minimum_increase)
            for one in touched
        )
        return [one for one in found if one is not None] or None

    def _judge(
        self,
        version: Version,
        served: Served,
        suspected: Series,
        judgement: Judgement,
        at: float,
        proven_at: float | None,
    ) -> Finding | None:
        """Open what is behind an alarm of one series."""
        increase = judgement.minimum_increase
        if onset_in(suspected, increase).after <= version.aspects.told_at():
            suspected.guard.ease()
            return None
        found = harm_behind(version, suspected, increase)
        if found is None:
            suspected.guard.calm()
            return None
        series, rise = version.series[found.slice], Rise(1.0, increase)  # a promise is one at all hours
        if not series.guard.is_promised:
            rise = self._rise(version, found.onset_at, judgement)
        if not is_still_there(found, series) or not is_unusual(found, series, rise):
            suspected.guard.ease()
            return None
        change = change_of_errors(version, found, increase, self.windows)
        around = Around(self.versions, self.rollouts, self.producers)
        series.open(harm_finding(served, version, change, around, at, proven_at))
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
                around = Around(self.versions, self.rollouts, self.producers)
                made = harm_finding(served, version, change, around, at, proven_at)
                note(made, version, one, increase)
            if made is not None:
                findings = [*(findings or ()), made]
        return findings
