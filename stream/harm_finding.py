"""Core. A harm as a finding: of the errors of a slice, or of what is judged beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stream.error_windows import ErrorWindows
from stream.events import ALL, Finding, Metric, Stage, Window, finding_id
from stream.explanation import SUSPECT_S, causes, rolled_out, rollouts_before
from stream.instant import in_words
from stream.joined import Served
from stream.onset import Onset
from stream.producers import Producers
from stream.scan import Harm, onset_in
from stream.version import LATE, Version


class Change(NamedTuple):
    """What got worse, in the metric's own terms. ``harm`` are the errors since, ``label`` a class or a side."""

    metric: Metric
    words: str
    before: float
    after: float
    before_count: int
    after_count: int
    onset: Onset
    """``at`` is the likeliest; mean label delays are not taken off yet."""
    harm: Harm
    episode: int
    examples: tuple[str, ...]
    windows: tuple[Window, ...] = ()
    label: str | None = None


def change_of_errors(version: Version, harm: Harm, increase: float, windows: ErrorWindows) -> Change:
    """Return the change that the errors of a slice show; ``increase`` is the least relative rise worth a page."""
    series, at = version.series[harm.slice], harm.onset_at
    within = onset_in(series, increase)
    if within.at != within.at:
        within = Onset(at, at, at)
    return Change(
        metric=series.metric,
        words=series.metric,
        before=series.shown(harm.before.mean),
        after=series.shown(harm.after.mean),
        before_count=harm.before.losses,
        after_count=harm.after.losses,
        onset=Onset(at, min(within.after, at), max(within.before, at)),
        harm=harm,
        episode=series.episode + 1,
        examples=series.examples,
        windows=windows.tell() if version.task == "classification" else (),
    )


def harm_finding(
    served: Served,
    version: Version,
    change: Change,
    stages: Mapping[str, tuple[float, Stage]],
    producers: Producers,
    at: float,
    proven_at: float | None,
) -> Finding:
    """Return what is told of a change of this prediction's version, proved at ``at``; ``stages``: its rollouts."""
    metric, onset, harm, whole = change.metric, change.onset, change.harm, version.series[ALL]
    rollouts, senders = rollouts_before(stages, onset.at), producers.new_before(onset.at, SUSPECT_S)
    what = metric if change.label is None else f"{metric} {change.label}"
    return Finding(
        id=finding_id(served.model, served.version, harm.slice, what, change.episode),
        state="open",
        severity="page",
        model=served.model,
        version=served.version,
        slice=harm.slice,
        metric=metric,
        direction="worse",
        before=change.before,
        after=change.after,
        before_count=change.before_count,
        after_count=change.after_count,
        onset_at=onset.at,
        onset_after=onset.after - LATE * version.delay_total_s / max(whole.outcomes, 1),
        onset_before=onset.before,
        detected_at=at,
        proven_at=proven_at,
        events_since_onset=change.after_count,
        episode=change.episode,
        examples=change.examples,
        causes=(*rolled_out(rollouts, onset.at), *senders, *_inner(version, harm)),
        rollouts=rollouts,
        windows=change.windows,
        summary=f"{served.model} version {served.version}{_in_words(change)}.",
        label=change.label,
    )


def _inner(version: Version, harm: Harm) -> Iterator[str]:
    return causes(version.reference, version.rows, harm, version.series)


def _in_words(change: Change) -> str:
    where = "" if change.harm.slice == ALL else f" where {change.harm.slice}"
    since = in_words(change.onset.at)
    return f"{where}: {change.words} went from {change.before:.3g} to {change.after:.3g} since {since}"
