"""Core. One version of a model: its series by slice, what they are held against, and what it was fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan, sqrt

import msgspec
from msgspec import Struct

from stream.aspect import Aspect
from stream.aspects import Aspects
from stream.batches import Batches
from stream.confidence import Confidence
from stream.development import Development
from stream.events import ALL, Stage, Task
from stream.figures.sums import WIDTHS, Sums
from stream.joined import Joined, Served
from stream.judge import budget
from stream.judge.budget import WEEK_S
from stream.judge.guard import Guard
from stream.judge.known import References
from stream.judge.objective import Objective
from stream.reference import Reference
from stream.rows import Rows
from stream.series import Ended, Series, new_series

OTHER = "__other__"
OTHERS = 16
"""Slice names with an "other" of their own in one version; as many as a prediction may have."""
SERIES = 800
"""Series of a model in all its versions; see ``stream.room``."""
MATURE, SPREADS = 2.0, 6.0
"""Mean label delays, and their standard deviations, from a first prediction on before labels are judged."""
RECKONED = 50
"""Labels of a version between two looks at how many come in a week; so many say how long labels take."""
PATIENCE = 1.5
"""Mean label delays without a prediction after which labels are not judged."""
AWAY_S, USUAL = 900.0, 2.0
"""Seconds without a prediction that are a pause, and how many times one as long as the longest so far is usual."""
DAYS = 7
ROUTES = 256
"""Combinations of slices that a version remembers the series of."""
Stages = Mapping[str, tuple[float, Stage]]
"""By version: since when it is in a stage, and which."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """When a change is worth a finding; see ``MonitorSettings``."""

    delta: float = 1e-4
    warmup: int = 200
    minimum_increase: float = 0.2
    slice_budget: int = 200
    false_pages_per_week: float = 1.0
    models_per_team: int = 50
    references: References = field(default_factory=dict)
    objectives: Sequence[Objective] = ()

    def drift_limit(self, inputs: int) -> float:
        """Return the evidence of a drift that is a ticket: a window a day of each input, in the pages' budget."""
        return max(DAYS * inputs * self.models_per_team / self.false_pages_per_week, 1.0)

    def silence_odds(self, kinds: int) -> float:
        """Return the chance of a false ticket of one of so many kinds, a day and model, in the pages' budget."""
        return min(self.false_pages_per_week / (DAYS * kinds * self.models_per_team), 0.5)


class Routes:
    """Which series a combination of slices leads to; derived, so never saved."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[bytes | tuple[str, ...], tuple[Series, ...]] = {}
        """By shape, the hash of which is worked out once, or by slices where there is none."""


class Version(Struct, array_like=True, gc=False):
    """One version of a model: its series by slice, and its inputs."""

    task: Task
    series: dict[str, Series] = {}
    reference: Reference = msgspec.field(default_factory=Reference)
    routes: Routes = msgspec.field(default_factory=Routes)
    began_at: float = float("nan")
    """Event time of the first matched prediction; nan before it."""
    arl: float = budget.FEWEST
    delay_total_s: float = 0.0
    """Of the label delays, each in event time from prediction to outcome; then of their squares."""
    delay_squares: float = 0.0
    patience_s: float = 0.0
    """How long after the newest prediction labels are still a fair sample: later ones are slow outcomes only."""
    is_mature: bool = False
    """Whether labels have come for so long that those of slow outcomes are among them in their share."""
    inherited: dict[str, Guard] = {}
    """References of the version before, by slice, until a series of that name begins."""
    rows: Rows = msgspec.field(default_factory=Rows)
    sums: Sums = msgspec.field(default_factory=Sums)
    confidence: Confidence = msgspec.field(default_factory=Confidence)
    aspects: Aspects = msgspec.field(default_factory=Aspects)
    learned_from: float = float("nan")
    """Event time since which its references are learned: also by the versions before, while they are young."""
    forgotten_episode: int = 0
    """The highest of versions that were forgotten before it began: it may be one of them that is back."""
    ended: tuple[Ended, ...] = ()
    """What was open of its errors when it ended last."""
    forgotten_until: float = -inf
    """Event time of the newest prediction of versions forgotten before it began; it may be one of them."""
    serves_since: float = -inf
    """Event time of the rollout with which it served again, or at last: it was a shadow, or retired."""
    back_at: float = -inf
    """Event time of the prediction with which it came back, after another one had taken its place for a while.

    Or ``serves_since``, once it is judged with others since then.
    """
    settles_s: float = 0.0
    """How old predictions are when their labels are a fair sample, as those of all versions say (``Maturity``).

    0 where losses come no sooner or later. Then when that was looked at last, and whether the labels of that time
    were none.
    """
    looked_at: float = -inf
    is_biased: bool = False
    away_s: float = 0.0
    """The longest pause between two predictions so far, seconds."""
    batches: Batches = msgspec.field(default_factory=Batches)

    def __post_init__(self) -> None:
        """Tell the sums what they are of."""
        self.sums.task = self.task

    def delays(self, labels: int) -> tuple[float, float]:
        """Return mean and standard deviation of the delays of so many labels, seconds."""
        mean = self.delay_total_s / labels
        return mean, sqrt(max(self.delay_squares / labels - mean * mean, 0.0))

    def ripens(
        self, at: float, outcome_at: float, slices: int, judgement: Judgement, development: Development
    ) -> bool:
        """Take when a label came, before its loss; return whether it is the first that is one of a fair sample.

        It is in so many slices, and its prediction of event time ``at``; ``development`` is the model's.
        """
        delay_s, labels = outcome_at - at, self.series[ALL].outcomes + 1
        self.delay_total_s += delay_s
        self.delay_squares += delay_s * delay_s
        if labels % RECKONED == 1:
            self.settles_s = development.settled_s()
            self._reckon(at, outcome_at, slices, judgement)
        if self.is_mature or labels < RECKONED:
            return False
        least_s = max(settled_s(*self.delays(labels)), self.settles_s)
        self.is_mature = self._lasted_s(outcome_at) >= least_s
        return self.is_mature

    def _reckon(self, at: float, outcome_at: float, slices: int, judgement: Judgement) -> None:
        """Set the run length anew from the labels so far."""
        outcomes = self.series[ALL].outcomes
        if isnan(self.began_at):
            self.began_at = at
        if isnan(self.learned_from):
            self.learned_from = self.began_at
        if not outcomes:
            return
        self.patience_s = PATIENCE * self.delay_total_s / (outcomes + 1)
        if self.settles_s:  # what comes of a pause is slow ones only, unless it is one as ever
            self.patience_s = min(self.patience_s, max(AWAY_S, USUAL * self.away_s))
        team, pages = judgement.models_per_team, judgement.false_pages_per_week
        streams = slices + self.aspects.of_a_label(self.task)
        self.arl = budget.run_length(outcomes, self._lasted_s(outcome_at), streams, team, pages)
        is_seasoned = at - self.learned_from >= WEEK_S
        is_first_batch = self._is_first_batch(outcome_at)
        judged: list[Series | Aspect] = [*self.series.values(), *self.aspects.all()]
        for one in judged:
            one.guard.aim(self.arl)
            one.guard.is_seasoned = is_seasoned
            if is_first_batch:
                one.wait(RECKONED)

    def _is_first_batch(self, outcome_at: float) -> bool:
        """Look at when labels come; return whether the newest are of a first batch."""
        whole = self.series[ALL]
        usual_s = RECKONED * (whole.newest_at - self.began_at) / max(whole.predictions, 1)
        delay_s = self.delay_total_s / (whole.outcomes + 1)
        return self.batches.is_first(outcome_at, usual_s, delay_s, self.is_mature)

    def unlabel(self) -> None:
        """Take note, before its loss goes, that a label is taken back: mean and spread of delays stay."""
        labels = self.series[ALL].outcomes
        left = (labels - 1) / labels if labels > 0 else 0.0
        self.delay_total_s *= left
        self.delay_squares *= left

    def _lasted_s(self, outcome_at: float) -> float:
        """Return for how long there are labels up to this one, whichever of its two clocks is ahead."""
        return min(outcome_at, self.series[ALL].newest_at) - self.began_at

    def is_fair(self, joined: Joined) -> bool:
        """Return whether a label is one of a fair sample.

        An outcome that was read before its prediction says nothing of whether predictions still come.
        """
        is_in_time = joined.has_waited or joined.outcome_at - self.series[ALL].newest_at <= self.patience_s
        return self.is_mature and is_in_time and not (self.is_biased and self.settles_s)

    def heed_findings(self) -> None:
        """Take note of findings that were opened or closed: what one series tells, others show as well.

        No reference is learned while a harm is told, and no onset sought before the end of one of the whole.
        """
        is_told, rested = self.is_harmed(), self.series[ALL].rested
        self.aspects.rest(is_told)
        for one in self.series.values():
            if is_told:
                one.guard.freeze()
            else:
                one.guard.resume()
            if rested is not None and one.well_at != rested.since:
                one.heed_end(rested)

    def is_harmed(self, since: float = -inf) -> bool:
        """Return whether a finding of a loss is open that says something of the time ``since``."""
        series = any(one.finding is not None and one.newest_at >= since for one in self.series.values())
        return series or any(one.finding is not None and one.large_at >= since for one in self.aspects.all())

    def count(self, served: Served, judgement: Judgement, versions: Mapping[str, Version]) -> None:
        """Count a prediction in each of its slices; ``versions`` are the model's."""
        route = self.route(served, judgement, versions)
        since = route[0].newest_at
        if AWAY_S < served.at - since < inf:
            self.away_s = max(self.away_s, served.at - since)
        for series in route:
            series.predictions += 1
            if served.at > series.newest_at:
                series.newest_at = served.at

    def route(
        self, served: Served, judgement: Judgement, versions: Mapping[str, Version]
    ) -> tuple[Series, ...]:
        """Return the series of a prediction's slices, each once, the whole first; ``versions`` are the model's.

        Over budget a slice is in its name's "other"; with too many of those, in one for all names.
        """
        known, combination = self.routes.known, served.shape or served.slices
        found = known.get(combination)
        if found is None:
            if len(known) >= ROUTES:
                known.clear()
            names = dict.fromkeys(
                self._within(name, judgement.slice_budget, versions) for name in served.slices
            )
            found = known[combination] = tuple(self._series(name, judgement) for name in names)
        return found

    def _within(self, name: str, slice_budget: int, versions: Mapping[str, Version]) -> str:
        """Return the name of the series that a slice is in."""
        if name in self.series or name == ALL:
            return name
        is_full = series_of(versions) >= SERIES
        if not is_full and len(self.series) < slice_budget:
            return name
        other = f"{name.partition('=')[0]}={OTHER}"
        if other in self.series:
            return other
        others = sum(one.endswith(f"={OTHER}") for one in self.series)
        return OTHER if is_full or others >= OTHERS else other

    def _series(self, name: str, judgement: Judgement) -> Series:
        found = self.series.get(name)
        if found is None:
            found = self.series[name] = new_series(self.task, judgement.delta)
            found.guard = self.inherited.pop(name, found.guard)
            if self.is_harmed():
                found.guard.freeze()
            found.place = self.sums.windows.allot(WIDTHS[self.task])
        return found


def settled_s(mean: float, spread: float) -> float:
    """Return for how long labels with such delays have to come until they are a fair sample, seconds."""
    return MATURE * mean + SPREADS * spread


def stage_of(version: str, stages: Stages) -> Stage:
    """Return the stage that a version is in; ``live`` when no rollout of it is known."""
    return stages[version][1] if version in stages else "live"


def served_until(version: Version) -> float:
    """Return the event time of the version's newest prediction; -inf before the first."""
    return version.series[ALL].newest_at if ALL in version.series else -inf


def series_of(versions: Mapping[str, Version]) -> int:
    """Return how many series the versions have in all."""
    return sum(len(one.series) for one in versions.values())
