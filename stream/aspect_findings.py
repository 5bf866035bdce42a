"""Core. What a version's aspects prove, as findings: one page for a harm, and that of the errors before others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from stream.aspects import BELOW, Proof
from stream.diagnosis import culprit, is_worse
from stream.events import ALL, Finding, Stage, finding_id
from stream.explanation import causes, rolled_out, rollouts_before
from stream.instant import in_words
from stream.joined import Joined, Served
from stream.series import Series
from stream.version import LATE, Judgement, Version

SHIFTS: Final = frozenset(("bias", "calibration"))
"""What lies around 0 while all is well: worth a page by how much farther it is, beside the mean loss."""


def follow(
    version: Version,
    served: Served,
    joined: Joined,
    proven_at: float | None,
    judgement: Judgement,
    rollouts: Mapping[str, tuple[float, Stage]],
    found: list[Finding] | None = None,
) -> list[Finding] | None:
    """Take one matched outcome, which must be sound; add the findings that it opened or closed to those found."""
    assert joined.outcome is not None
    increase, scores = judgement.minimum_increase, served.scores
    label = min(served.at, joined.outcome_at), served.prediction_id, version.arl, increase
    for one in version.aspects.take(version.task, served.prediction, joined.outcome, scores, label):
        aspect = one.aspect
        made: Finding | None = None
        if aspect.finding is not None:
            made = aspect.close(one.loss, joined.outcome_at, proven_at)
        elif _is_page(version, one, increase):
            made = _finding(served, version, one, rollouts, increase, joined.outcome_at, proven_at)
            aspect.open(made, increase)
        if made is not None:
            found = [*(found or ()), made]
    return found


def _is_page(version: Version, one: Proof, increase: float) -> bool:
    """Return whether proved harm is told: it is worth it, and neither told yet nor about to be as errors."""
    guard, whole = one.aspect.guard, version.series[ALL]
    if version.is_harmed():
        guard.calm()
        return False
    if any(series.guard.suspected() for series in version.series.values()):
        return False  # its evidence stands: the next large loss asks again
    if not _is_worse(one, whole, increase):
        guard.ease()
        return False
    return True


def _is_worse(one: Proof, whole: Series, increase: float) -> bool:
    before, after = one.aspect.before(), one.aspect.after()
    if not before.losses:
        return False
    if one.metric not in SHIFTS:
        return after.mean > before.mean * (1.0 + increase)
    known = whole.guard.reference()
    usual = known.mean if known.losses else whole.loss_total / whole.outcomes
    return after.mean - abs(before.mean) > increase * usual


def _finding(
    served: Served,
    version: Version,
    one: Proof,
    rollouts: Mapping[str, tuple[float, Stage]],
    increase: float,
    at: float,
    proven_at: float | None,
) -> Finding:
    aspect, since = one.aspect, one.aspect.after()
    onset_at, episode = aspect.since_at, aspect.episode + 1
    before, after = _shown(one, aspect.before().mean), _shown(one, since.mean)
    change = f"{_words(one)} went from {before:.3g} to {after:.3g} since {in_words(onset_at)}"
    suspects = rollouts_before(rollouts, onset_at)
    return Finding(
        id=finding_id(served.model, served.version, ALL, f"{one.metric} {one.label}", episode),
        state="open",
        severity="page",
        model=served.model,
        version=served.version,
        slice=ALL,
        metric=one.metric,
        direction="worse",
        before=before,
        after=after,
        before_count=aspect.usual_losses,
        after_count=since.losses,
        onset_at=onset_at,
        onset_after=aspect.after_at - LATE * version.delay_total_s / version.series[ALL].outcomes,
        onset_before=onset_at,
        detected_at=at,
        proven_at=proven_at,
        events_since_onset=since.losses,
        episode=episode,
        examples=aspect.examples,
        causes=(*rolled_out(suspects, onset_at), *_behind(version, onset_at, increase)),
        rollouts=suspects,
        summary=f"{served.model} version {served.version}: {change}.",
        label=one.label,
    )


def _behind(version: Version, onset_at: float, increase: float) -> Iterator[str]:
    """Yield what the errors since the onset tell: the slice that carries them, and what else moved."""
    harm = culprit(version.series, onset_at, increase)
    series = version.series[harm.slice]
    if harm.slice != ALL and is_worse(harm, increase):
        before, after = series.shown(harm.before.mean), series.shown(harm.after.mean)
        yield f"most errors since are where {harm.slice}: {series.metric} {before:.3g} to {after:.3g}"
    yield from causes(version.reference, version.rows, harm, version.series[ALL])


def _shown(one: Proof, mean: float) -> float:
    """Turn a mean value into the metric's terms."""
    if one.metric == "recall":
        return 1.0 - mean
    return -mean if one.label == BELOW else mean


def _words(one: Proof) -> str:
    if one.metric == "recall":
        return f"recall of class {one.label}"
    return {
        "log_loss": "log loss",
        "brier": "Brier score",
        "calibration": "how much more often it is wrong than its scores say",
        "bias": "bias (said less happened)",
    }[one.metric]
