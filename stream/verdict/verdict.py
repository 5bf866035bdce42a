"""Core. May a version be promoted, or must it be rolled back: the verdict, its reason, and what it rests on.

The chance of a wrong one is ``ALPHA`` at most in the first ten days of two versions, however often it is asked
for: that a candidate is called worse which is not, better which is not, or no worse which loses more by all that
is tolerated. Half of it is for the whole, half for all slices. A comparison can begin at six edges, since buckets
get coarser four times before they go: each has a sixth, and so has each further half week, when the oldest bucket
goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from math import nan
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from stream.comparison import is_of_both
from stream.events import ALL, Finding, Metric, Stage
from stream.figures.windows import RATIOS
from stream.monitor import Monitor
from stream.verdict.difference import UNKNOWN, Arm, Interval, Pair, compared
from stream.verdict.mix import Mix, unlike, within
from stream.verdict.strata import Shared, shared
from stream.version import Version

ALPHA: Final = 0.05
STARTS: Final = len(RATIOS) + 1
"""Edges at which a comparison can begin: by a level's width each, and once the oldest bucket has gone."""
WHOLE: Final = ALPHA / STARTS / 2.0
"""For the whole; as much for all slices together."""


class Decision(StrEnum):
    """What may be done with the candidate."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


class Reason(StrEnum):
    """Why; ``DECISIONS`` says what follows."""

    BETTER = "better"
    NO_WORSE = "no_worse"
    WORSE = "worse"
    WORSE_SLICE = "worse_slice"
    OPEN_FINDING = "open_finding"
    FINDING_IN_DOUBT = "finding_in_doubt"
    UNDECIDED = "undecided"
    SLICE_IN_DOUBT = "slice_in_doubt"
    TOO_FEW_LABELS = "too_few_labels"
    TOO_FEW_ERRORS = "too_few_errors"
    NOT_CONCURRENT = "not_concurrent"
    RETIRED = "retired"
    OTHER_TASK = "other_task"
    ALONE = "alone"


class Side(Struct, frozen=True, kw_only=True):
    """One version in the shared time; ``figure`` is of the metric, weighed as the comparison is."""

    version: str
    stage: Stage | None = None
    labels: int = 0
    figure: Interval = UNKNOWN


class Verdict(Struct, frozen=True, kw_only=True, tag_field="kind", tag="verdict"):
    """The answer. Figures and differences (candidate less other) are in the metric's own terms; nan is unknown.

    ``tolerated`` is the difference up to which it is no worse, ``slice`` the one that looks worst, ``finding``
    what is open of the candidate and not of the other, ``mix`` what the whole was compared within, ``uneven_s``
    the seconds that are left out because the share of traffic was moved in them, ``known_at`` when the checkpoint
    was written that it was read from.
    """

    model: str
    decision: Decision
    reason: Reason
    metric: Metric
    candidate: Side
    other: Side | None = None
    since_at: float = nan
    until_at: float = nan
    difference: Interval = UNKNOWN
    tolerated: float = nan
    slice: str | None = None
    slice_difference: Interval = UNKNOWN
    finding: Finding | None = None
    mix: Mix | None = None
    uneven_s: float = 0.0
    known_at: float = nan


class _Found(Struct, frozen=True):
    """What the sums say of two versions: of the whole, and of each slice with errors enough."""

    both: Shared
    has_reference: bool
    pair: Pair
    mix: Mix | None
    slices: dict[str, Pair]

    @property
    def alpha(self) -> float:
        """Of each slice."""
        return WHOLE / max(len(self.slices), 1)


def verdict(monitor: Monitor, name: str, against: str | None, increase: float) -> Verdict:
    """Return the verdict on a version, held against another one, by default ``held_against``.

    ``increase`` is the share of the other's loss that the candidate may lose more (``monitor.minimum_increase``).

    Raises:
        KeyError: the model has no such version with predictions.
    """
    ours, me = monitor.versions[name], _side(monitor, name)
    other = held_against(monitor, name) if against is None else against
    its = None if other is None else monitor.versions[other]
    found = _found(shared(ours, its)) if its is not None and its.task == ours.task else None
    finding, is_sure = _own_finding(ours, its)
    if me.stage == "retired":
        reason = Reason.RETIRED
    elif finding is not None and is_sure:
        reason = Reason.OPEN_FINDING
    elif its is None:
        reason = Reason.ALONE
    else:
        reason = Reason.OTHER_TASK if found is None else _reason(found, increase)
        if finding is not None and DECISIONS[reason] is not Decision.ROLL_BACK:
            reason = Reason.FINDING_IN_DOUBT
    made = Verdict(
        model=monitor.model,
        decision=DECISIONS[reason],
        reason=reason,
        metric=ours.series[ALL].metric,
        candidate=me,
        other=None if other is None else _side(monitor, other),
        finding=finding,
    )
    return made if found is None else _told(made, found, increase)


def held_against(monitor: Monitor, name: str) -> str | None:
    """Return the other version that went live last, else that with the most labels in the time of both, if any.

    One that a rollout calls something else than live comes after those of which none is known.
    """
    others = [one for one in monitor.versions if one != name]
    stages = ((*monitor.rollouts[one], one) for one in others if one in monitor.rollouts)
    live = max(((at, one) for at, stage, one in stages if stage == "live"), default=None)
    if live is not None:
        return live[1]
    ours = monitor.versions[name]
    served = {
        one: sum(row.others.labels for row in shared(ours, monitor.versions[one]).strata()) for one in others
    }
    return max(
        reversed(others),
        key=lambda one: (served[one] > 0.0 and one not in monitor.rollouts, served[one]),
        default=None,
    )


def _side(monitor: Monitor, name: str) -> Side:
    return Side(version=name, stage=monitor.rollouts[name][1] if name in monitor.rollouts else None)


def _own_finding(ours: Version, others: Version | None) -> tuple[Finding | None, bool]:
    """Return an open finding of losses that the other version does not share, if any, and whether that is sure.

    Of one harm to both a finding is opened, and closed, earlier of one of them: so the other shares it too where
    it got worse as well. What both have is no fault of this one.
    """
    known = set() if others is None else {(one.slice, one.metric, one.label) for one in _open(others)}
    doubt: Finding | None = None
    for one in _open(ours):
        if (one.slice, one.metric, one.label) not in known:
            is_shared = others is not None and is_of_both(one, ours, others)
            if is_shared is False:
                return one, True
            doubt = one if is_shared is None else doubt
    return doubt, False


def _open(version: Version) -> Iterator[Finding]:
    found = (
        *(one.finding for one in version.series.values()),
        *(one.finding for one in version.aspects.all()),
    )
    return (one for one in found if one is not None)


def _found(both: Shared) -> _Found:
    mix = unlike(both)
    known = _inflation(both, ALL)
    inflation = 1.0 if known is None else known
    pair = compared(both.strata() if mix is None else within(both, mix.name), inflation)
    # beside an unlike mix of one slice nobody knows how like the others are
    names = (one for one in both.slices() if mix is None or one.partition("=")[0] == mix.name)
    slices = {one: compared(both.strata(one), _inflation(both, one) or inflation) for one in names}
    return _Found(
        both, known is not None, pair, mix, {name: one for name, one in slices.items() if one.is_fit}
    )


def _inflation(both: Shared, name: str) -> float | None:
    """Return the larger inflation of the two references of a slice; ``None`` while there is none."""
    found = (_learned(one, name) for one in (both.ours, both.others))
    return max((one for one in found if one is not None), default=None)


def _learned(version: Version, name: str) -> float | None:
    """Return the inflation that a version has learned of a slice: a promise knows none, what is beside it does."""
    series = version.series.get(name)
    if series is not None and series.guard.is_promised:
        guards = [one.guard for one in version.aspects.all()]
    else:
        guards = [] if series is None else [series.guard]
    return max((one.inflation for one in guards if one.harm is not None), default=None)


def _reason(found: _Found, increase: float) -> Reason:
    """Return what the sums say; harm goes before all, and the whole before its slices."""
    pair, slices = found.pair, found.slices.values()
    if not pair.time > 0.0:
        return Reason.NOT_CONCURRENT
    if not found.has_reference or not pair.has_labels:
        return Reason.TOO_FEW_LABELS
    if not pair.is_fit:
        return Reason.TOO_FEW_ERRORS
    excess = pair.excess(WHOLE)
    if excess.lower > 0.0:
        return Reason.WORSE
    if any(one.excess(found.alpha, 1.0 + increase).lower > 0.0 for one in slices):
        return Reason.WORSE_SLICE
    if not pair.excess(WHOLE, 1.0 + increase).upper < 0.0:
        return Reason.UNDECIDED
    if any(one.excess(found.alpha).lower > 0.0 for one in slices):
        return Reason.SLICE_IN_DOUBT
    return Reason.BETTER if excess.upper < 0.0 else Reason.NO_WORSE


def _told(made: Verdict, found: _Found, increase: float) -> Verdict:
    """Return the verdict with the figures that it rests on."""
    assert made.other is not None
    pair, is_share = found.pair, made.metric == "accuracy"
    stretches = found.both.stretches
    worst = max(found.slices, key=lambda name: found.slices[name].excess(found.alpha).lower, default=None)
    in_slice = UNKNOWN if worst is None else found.slices[worst].excess(found.alpha)
    tolerated = increase * pair.others.mean
    return replace(
        made,
        candidate=_with_figure(made.candidate, pair, pair.ours, is_share),
        other=_with_figure(made.other, pair, pair.others, is_share),
        since_at=min((one.since_at for one in stretches), default=nan),
        until_at=max((one.until_at for one in stretches), default=nan),
        difference=_turned(pair.excess(WHOLE), 0.0) if is_share else pair.excess(WHOLE),
        tolerated=-tolerated if is_share else tolerated,
        slice=worst,
        slice_difference=_turned(in_slice, 0.0) if is_share else in_slice,
        mix=found.mix,
        uneven_s=found.both.uneven_s,
    )


def _with_figure(side: Side, pair: Pair, arm: Arm, is_share: bool) -> Side:
    mean = pair.of(arm, WHOLE)
    return replace(side, labels=round(arm.labels), figure=_turned(mean, 1.0) if is_share else mean)


def _turned(loss: Interval, most: float) -> Interval:
    """Return a loss as what is left of the most: an accuracy, or a difference of two."""
    return Interval(most - loss.value, most - loss.upper, most - loss.lower)


DECISIONS: Final = {
    Reason.BETTER: Decision.PROMOTE,
    Reason.NO_WORSE: Decision.PROMOTE,
    Reason.WORSE: Decision.ROLL_BACK,
    Reason.WORSE_SLICE: Decision.ROLL_BACK,
    Reason.OPEN_FINDING: Decision.ROLL_BACK,
    Reason.FINDING_IN_DOUBT: Decision.HOLD,
    Reason.UNDECIDED: Decision.HOLD,
    Reason.SLICE_IN_DOUBT: Decision.HOLD,
    Reason.TOO_FEW_LABELS: Decision.HOLD,
    Reason.TOO_FEW_ERRORS: Decision.HOLD,
    Reason.NOT_CONCURRENT: Decision.HOLD,
    Reason.RETIRED: Decision.HOLD,
    Reason.OTHER_TASK: Decision.HOLD,
    Reason.ALONE: Decision.HOLD,
}
