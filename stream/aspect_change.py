"""Core. What the aspects of a version prove: whether it is told, and what got worse."""

from __future__ import annotations

from stream.aspects import BELOW, Proof
from stream.cycle import Rise
from stream.diagnosis import is_certain, is_worse
from stream.error_windows import ErrorWindows
from stream.events import ALL, SHIFTS, Finding
from stream.harm_finding import Change, change_of_errors
from stream.onset import Onset
from stream.scan import Harm, culprit, usual_of
from stream.series import Series
from stream.version import Version
from stream.withdrawal import is_withdrawn


def is_page(version: Version, one: Proof, rise: Rise) -> bool:
    """Return whether proved harm is told: it is worth it, and neither told yet nor about to be as errors."""
    guard = one.aspect.guard
    if version.is_harmed(one.aspect.since_at):
        guard.calm()
        return False
    if not rise.is_known or not _is_worse(one, version.series[ALL], rise):
        guard.ease()
        return False
    usual = abs(one.aspect.before().mean)
    if is_withdrawn(one.aspect.after(), usual, usual, one.aspect.back):
        guard.ease()
        return False
    if one.metric == "mae" and _shown_by_errors(version, one, rise.least) is None:
        guard.ease()
        return False
    # while it waits its evidence stands: the next large loss asks again
    return one.aspect.has_waited() or not _is_suspected(version, one.aspect.since_at)


def _is_suspected(version: Version, since: float) -> bool:
    """Return whether errors are about to tell a harm; not those of a slice that had no prediction ``since``."""
    return any(one.newest_at >= since and one.guard.is_suspected() for one in version.series.values())


def _is_worse(one: Proof, whole: Series, rise: Rise) -> bool:
    before, after = one.aspect.before(), one.aspect.after()
    if not before.losses:
        return False
    if one.metric not in SHIFTS:
        return after.mean > rise.factor * before.mean * (1.0 + rise.least)
    return after.mean - abs(before.mean) > (rise.early * (1.0 + rise.least) - 1.0) * usual_of(whole)


def change_told(version: Version, one: Proof, increase: float, windows: ErrorWindows) -> Change:
    """Return the change that a page tells: that of the errors where they show the harm as well, else the aspect's.

    The errors say in which slice it is. ``increase`` is the least relative rise worth a page.
    """
    harm = _shown_by_errors(version, one, increase)
    if harm is not None:
        return change_of_errors(version, harm, increase, windows)
    return _change_of(one, version.series[ALL])


def _shown_by_errors(version: Version, one: Proof, increase: float) -> Harm | None:
    """Return the harm that the errors show as well since this onset, where it is likeliest; or ``None``."""
    harm = culprit(version.series, increase, one.aspect.since_at)
    series = version.series[harm.slice]
    is_shown = series.finding is None and is_worse(harm, increase) and is_certain(harm, series)
    return harm if is_shown else None


def note(finding: Finding, version: Version, one: Proof, increase: float) -> None:
    """Take note of a finding that this proof opened."""
    if finding.metric == one.metric != "mae":
        one.aspect.open(finding, increase)
        return
    one.aspect.guard.calm()
    version.series[finding.slice].open(finding)


def _change_of(one: Proof, whole: Series) -> Change:
    aspect, since = one.aspect, one.aspect.after()
    at = aspect.since_at
    return Change(
        metric=one.metric,
        words=_words(one),
        before=_shown(one, aspect.before().mean),
        after=_shown(one, since.mean),
        before_count=aspect.usual_losses,
        after_count=since.losses,
        onset=Onset(at, aspect.after_at, at),
        harm=Harm(ALL, at, whole.guard.reference(), whole.history.since(at)),
        episode=aspect.episode + 1,
        examples=aspect.examples,
        label=one.label,
        inflation=aspect.guard.inflation,
    )


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
