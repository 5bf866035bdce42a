"""Core. What one label proves: harm that is to be told, and where it is, or the end of one that was told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import NamedTuple

from stream.aspect import Case
from stream.aspect_change import change_told, is_page, note
from stream.aspects import Proof
from stream.attribution import harm_behind
from stream.closing import close
from stream.cycle import Rise
from stream.development import Early
from stream.diagnosis import is_still_there, is_unusual
from stream.error_windows import ErrorWindows
from stream.events import ALL, Finding
from stream.harm_finding import Around, Change, change_of_errors, harm_finding
from stream.joined import Joined, Served
from stream.lineage import of_lineage
from stream.maturity import Maturity
from stream.scan import onset_in
from stream.series import Series
from stream.uneven import Uneven
from stream.version import Judgement, Version


class Judge(NamedTuple):
    """One label, and all that it is judged by beside the version that judges it.

    ``since``: event time of the prediction, or of an outcome before it; ``at``: of the outcome. ``may_open``:
    whether harm that is proved is told; what began before ``told_until`` never is, since others tell it.
    """

    served: Served
    loss: float
    since: float
    at: float
    proven_at: float | None
    around: Around
    windows: ErrorWindows
    maturity: Maturity
    judgement: Judgement
    may_open: bool = True
    told_until: Callable[[], float] = lambda: -inf

    def judged(
        self, version: Version, route: Sequence[Series], joined: Joined, is_fair: bool, arl: float
    ) -> list[Finding]:
        """Let a version, or the lineage, learn from the label; return the findings that it opened or closed."""
        assert joined.outcome is not None
        served, since, example = self.served, self.since, self.served.prediction_id
        warmup, increase = self.judgement.warmup, self.judgement.minimum_increase
        touched = [  # all learn before one is judged
            one
            for one in route
            if one.learn(since, self.loss, example, warmup, arl, increase, is_fair) or one.finding is not None
        ]
        findings = self._errors(version, touched) if touched else []
        if is_fair and version.aspects.are_due(route[0].outcomes):
            case = Case(since, example, version.arl, increase)
            proofs = version.aspects.take(
                version.task, served.prediction, joined.outcome, served.scores, case
            )
            findings += [made for one in proofs if (made := self._beside(version, one)) is not None]
        return findings

    def _errors(self, version: Version, touched: Iterable[Series]) -> list[Finding]:
        """Close what is over of series with an open finding, and open what is behind the alarms of others."""
        found = (self._alarm(version, one) if one.finding is None else self._close(one) for one in touched)
        return [one for one in found if one is not None]

    def _close(self, series: Series) -> Finding | None:
        return close(series, self.loss, self.at, self.proven_at, self.judgement.minimum_increase)

    def _alarm(self, version: Version, suspected: Series) -> Finding | None:
        """Open what is behind an alarm of one series."""
        if not self.may_open:
            return None
        increase = self.judgement.minimum_increase
        onset, until = onset_in(suspected, increase), self.told_until()
        if onset.at <= until:
            suspected.rest_until(until)
            return None
        if onset.after <= version.aspects.told_at():
            suspected.guard.ease()
            return None
        found = harm_behind(version, suspected, increase)
        if found is None:
            suspected.guard.calm()
            return None
        if self._is_too_early(version):
            return None
        series, rise = version.series[found.slice], Rise(1.0, increase)  # a promise is one at all hours
        if not series.guard.is_promised:
            rise = self._rise(version, found.onset_at)
        rise = rise.times(self._early(version, found.onset_at).factor(version.task, found.before.mean))
        if not is_still_there(found, series) or not is_unusual(found, series, rise):
            suspected.guard.ease()
            return None
        change = change_of_errors(version, found, increase, self.windows)
        series.open(self._told(version, change))
        return series.finding

    def _told(self, version: Version, change: Change) -> Finding:
        made = harm_finding(self.served, version, change, self.around, self.at, self.proven_at)
        return of_lineage(made) if self._is_lineage(version) else made

    def _rise(self, version: Version, since: float) -> Rise:
        """Return what a rise since an onset is held against; a reference from a file knows all hours."""
        least, known = self.judgement.minimum_increase, version.series[ALL].guard.reference().mean
        rise = self.maturity.rise(since, known, least)
        is_known = self.served.model in self.judgement.references
        return rise._replace(least=least, is_known=True) if is_known else rise

    def _early(self, version: Version, since: float) -> Early:
        """Return what is usual since an onset of labels that come so soon after their predictions.

        Those of the first bucket since the onset may have come at its end.
        """
        uneven, whole = self._uneven(version), version.series[ALL]
        last = min(whole.history.border_after(since), whole.newest_at)
        return max(uneven.early(since, last), key=lambda one: one.ratio)

    def _uneven(self, version: Version) -> Uneven:
        return Uneven(version, self._is_lineage(version), self.maturity, self.at)

    def _is_lineage(self, version: Version) -> bool:
        return version is not self.around.versions[self.served.version]

    def _is_too_early(self, version: Version) -> bool:
        """Forget references that were learned too early, as the newest labels show; return whether these were."""
        version.settles_s = self.maturity.development.settled_s()
        return self._uneven(version).unlearn(self.served.model, self.judgement)

    def _beside(self, version: Version, one: Proof) -> Finding | None:
        """Judge what is beside the errors; harm that these show as well is told by them, and where it is."""
        increase = self.judgement.minimum_increase
        if one.aspect.finding is not None:
            return one.aspect.close(one.loss, self.at, self.proven_at)
        if not (self.may_open and one.is_proved):
            return None
        if one.aspect.since_at <= self.told_until():
            one.aspect.guard.calm()
            return None
        if self._is_too_early(version):
            return None
        since = one.aspect.since_at
        rise = self._rise(version, since).times(self._early(version, since).ratio)
        if not is_page(version, one, rise):
            return None
        change = change_told(version, one, increase, self.windows)
        made = self._told(version, change)
        note(made, version, one, increase)
        return made
