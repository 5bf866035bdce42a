"""Core. A drift of one input as a ticket: opened, and closed when it is over."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan

import msgspec

from stream.carried import carry_on
from stream.change import change_of
from stream.constant import look_at_run
from stream.drift import DAY_S, Drift
from stream.events import ALL, Finding, finding_id
from stream.instant import in_words
from stream.joined import Served
from stream.reference import Feature, Reference
from stream.repeats import RUN
from stream.said import SAID
from stream.version import Version


def look(
    version: Version,
    name: str,
    served: Served,
    limit: float,
    proven_at: float | None,
    versions: Iterable[Version],
) -> Finding | None:
    """Judge one input whose window grew, if it holds a day; return the ticket that this opened or closed.

    ``RUN`` stands for the run of the same answers; ``served`` is the prediction that the window grew by, ``limit``
    the evidence that is enough, ``versions`` all of the model.
    """
    if name == RUN:
        return look_at_run(version, served, limit, proven_at)
    reference = version.reference
    feature = reference.features[name]
    drift, at = feature.drift, served.at
    if not drift.is_whole(at):
        return None
    is_stuck = name in SAID and reference.repeats.finding is not None
    if is_stuck and not drift.is_learned:  # what a ticket tells of is no reference
        drift.began_at = at
        feature.begin()
        return None
    told = carry_on(version, name, versions)
    verdict = drift.take(feature.reference, feature.window, at, limit, told)
    finding: Finding | None = None
    if verdict == "drifted" and is_stuck:
        drift.evidence = 0.0
    elif verdict == "drifted":
        drift.episode = max(drift.episode, version.forgotten_episode) + 1
        opened = _opened(reference, name, feature, served)
        finding = drift.finding = msgspec.structs.replace(opened, proven_at=proven_at)
    elif verdict == "recovered":
        finding = _closed(drift, at, proven_at)
    feature.begin()
    return finding


def _closed(drift: Drift, at: float, proven_at: float | None) -> Finding | None:
    told, drift.finding, drift.evidence = drift.finding, None, 0.0
    return told and msgspec.structs.replace(told, state="closed", closed_at=at, proven_at=proven_at)


def _opened(reference: Reference, name: str, feature: Feature, served: Served) -> Finding:
    drift, at = feature.drift, served.at
    change = change_of(reference, name, feature.window)
    what = SAID.get(name, f"feature {name}")
    since = reference.repeats.since  # a run knows when it began, unless an older release counted it
    onset_at = since if change.metric == "constant_rate" and not isnan(since) else drift.onset_at
    return Finding(
        id=finding_id(served.model, served.version, ALL, f"drift {name}", drift.episode),
        state="open",
        severity="ticket",
        model=served.model,
        version=served.version,
        slice=ALL,
        metric=change.metric,
        direction="changed",
        before=change.before,
        after=change.after,
        before_count=sum(feature.reference),
        after_count=sum(feature.window),
        onset_at=onset_at,
        onset_after=drift.onset_at - DAY_S,
        onset_before=at,
        detected_at=at,
        events_since_onset=drift.values,
        episode=drift.episode,
        summary=f"{served.model} version {served.version}, {what}: {change.words} since {in_words(onset_at)}.",
        feature=name,
    )
