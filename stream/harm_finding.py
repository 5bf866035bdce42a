"""Core. A harm as a finding: of the errors of a slice, or of what is judged beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stream.bounds import bounds, spread_of
from stream.comparison import class_within, mix_behind, outcomes_behind, versions_beside
from stream.digits import in_digits
from stream.error_windows import ErrorWindows
from stream.events import ALL, Finding, Metric, RolledOut, Window, finding_id
from stream.explanation import SUSPECT_S, causes, rolled_out, rollouts_before
from stream.instant import in_words
from stream.joined import Served
from stream.onset import Onset
from stream.producers import Producers
from stream.scan import Harm, onset_in
from stream.traffic import DAY_S
from stream.version import SPREADS, Stages, Version, stage_of

LATE = 2.0
"""Mean label delays by which harm may have begun before the labels show it: at least half come within them."""


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
    inflation: float = 1.0
    """How much dependence widens the variance of a mean."""


class Around(NamedTuple):
    """What else there is of the harmed version's model: its versions, their stages, and who sends its events."""

    versions: Mapping[str, Version]
    stages: Stages
    producers: Producers


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
        inflation=series.guard.inflation,
    )


def harm_finding(
    served: Served,
    version: Version,
    change: Change,
    around: Around,
    at: float,
    proven_at: float | None,
) -> Finding:
    """Return what is told of a change of this prediction's version, or of its lineage, proved at ``at``."""
    metric, harm, onset = change.metric, change.harm, _onset(version, change, at)
    rollouts, episode = rollouts_before(around.stages, onset), _episode(version, change)
    what = metric if change.label is None else f"{metric} {change.label}"
    found = Finding(
        id=finding_id(served.model, served.version, harm.slice, what, episode),
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
        onset_after=onset.after,
        onset_before=onset.before,
        detected_at=at,
        proven_at=proven_at,
        events_since_onset=change.after_count,
        episode=episode,
        examples=change.examples,
        causes=(*_outer(served, around, rollouts, onset, harm), *_inner(version, served, around, harm)),
        rollouts=rollouts,
        windows=change.windows,
        summary=f"{served.model} version {served.version}{_in_words(change._replace(onset=onset))}.",
        label=change.label,
    )
    return _by_stage(_with_bounds(found, version, change.inflation), around)


def _episode(version: Version, change: Change) -> int:
    """Return the number of the episode: a version that was forgotten and is back counts on."""
    return max(change.episode, version.forgotten_episode + 1)


def _onset(version: Version, change: Change, at: float) -> Onset:
    """Return the onset, earlier by what labels may have been late, but not before the version served.

    A rollout may say that it is later than ``at``, when the harm was proved.
    """
    mean_s, spread_s = version.delays(max(version.series[ALL].outcomes, 1))
    # what takes three weeks may take them each time
    late_s = min(LATE * mean_s, max(SPREADS * spread_s, DAY_S))
    early = change.onset._replace(after=change.onset.after - late_s)
    return Onset(*(max(one, min(version.serves_since, at)) for one in early))


def _with_bounds(found: Finding, version: Version, inflation: float) -> Finding:
    """Say within which bounds the values before and after lie."""
    spread = spread_of(version, found.slice, found.metric)
    is_seen = not version.series[found.slice].guard.is_promised  # a promise has no losses
    before = bounds(found.metric, found.before, found.before_count if is_seen else 0, inflation, spread)
    after = bounds(found.metric, found.after, found.after_count, inflation, spread)
    ends = {"before_lower": before.lower, "before_upper": before.upper}
    return replace(found, **ends, after_lower=after.lower, after_upper=after.upper)


def _by_stage(found: Finding, around: Around) -> Finding:
    """Make a ticket of what is found in a shadow: it harms nobody, and burns no budget."""
    is_shadow = stage_of(found.version, around.stages) == "shadow"
    return replace(found, severity="ticket", windows=()) if is_shadow else found


def _outer(
    served: Served, around: Around, rollouts: Sequence[RolledOut], onset: Onset, harm: Harm
) -> Iterator[str]:
    yield from rolled_out(rollouts, onset.at)
    yield from around.producers.new_before(onset, SUSPECT_S)
    yield from versions_beside(around.versions, served.version, harm)


def _inner(version: Version, served: Served, around: Around, harm: Harm) -> Iterator[str]:
    own = around.versions[served.version]  # a lineage has neither inputs nor rows
    if (mix := mix_behind(version, harm)) is not None:
        yield mix
    yield from causes(own.reference, own.rows, harm, version.series)
    if (mix := outcomes_behind(own, version.series[ALL], harm)) is not None:
        yield mix
    if (said := class_within(own, harm)) is not None:
        yield said


def _in_words(change: Change) -> str:
    where = "" if change.harm.slice == ALL else f" where {change.harm.slice}"
    before, after = in_digits(change.before), in_digits(change.after)
    return f"{where}: {change.words} went from {before} to {after} since {in_words(change.onset.at)}"
