"""Core. A drift of one input in words: what about it changed, from what to what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from stream.bins import parts
from stream.drift import DAY_S
from stream.events import ALL, Finding, Metric, finding_id
from stream.instant import in_words
from stream.joined import Served
from stream.reference import MISSING, UNKNOWN, WINDOW, Feature, Reference
from stream.said import SAID

SHARE = 0.5
"""Of the index that one kind of bin carries, for the ticket to be about it."""


class Change(NamedTuple):
    """What a ticket is about: shares within 0..1, or the index."""

    metric: Metric
    before: float
    after: float
    words: str


def look(
    reference: Reference, name: str, served: Served, limit: float, proven_at: float | None
) -> Finding | None:
    """Judge one input whose window grew, if it holds a day; return the ticket that this opened or closed.

    ``served`` is the prediction that it grew by, ``limit`` the evidence that is enough.
    """
    feature = reference.features[name]
    drift, at = feature.drift, served.at
    if not drift.is_whole(at):
        return None
    verdict = drift.take(feature.reference, feature.window, at, limit)
    finding: Finding | None = None
    if verdict == "drifted":
        drift.episode += 1
        opened = _opened(reference, name, feature, served)
        finding = drift.finding = msgspec.structs.replace(opened, proven_at=proven_at)
    elif verdict == "recovered" and drift.finding is not None:
        finding = msgspec.structs.replace(drift.finding, state="closed", closed_at=at, proven_at=proven_at)
        drift.finding, drift.evidence = None, 0.0
    feature.begin()
    return finding


def _opened(reference: Reference, name: str, feature: Feature, served: Served) -> Finding:
    drift, at = feature.drift, served.at
    change = _change(reference, name, feature)
    what = SAID.get(name, f"feature {name}")
    since = in_words(drift.onset_at)
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
        onset_at=drift.onset_at,
        onset_after=drift.onset_at - DAY_S,
        onset_before=at,
        detected_at=at,
        events_since_onset=drift.values,
        episode=drift.episode,
        summary=f"{served.model} version {served.version}, {what}: {change.words} since {since}.",
        feature=name,
    )


def _change(reference: Reference, name: str, feature: Feature) -> Change:
    """Say which kind of bin carries most of the index, else that the values moved."""
    shares = parts(feature.reference, feature.window)
    total = sum(shares)

    def carries(bins: Iterable[int]) -> bool:
        return sum(shares[place] for place in bins) >= SHARE * total

    before, after = feature.reference, feature.window
    if name == reference.answer and reference.repeats >= WINDOW:
        usual = max(before) / sum(before)
        words = f"always {reference.said!r}, {reference.repeats} times in a row"
        return Change("constant_rate", usual, 1.0, words)
    if carries([MISSING]):
        was, now = _rate(before, [MISSING]), _rate(after, [MISSING])
        return Change("missing_rate", was, now, f"{now:.3g} of the values are missing, {was:.3g} were")
    if carries([UNKNOWN]):
        was, now = _rate(before, [UNKNOWN]), _rate(after, [UNKNOWN])
        new = ", ".join(feature.strangers)
        named = f" ({new})" if now > was and new else ""
        return Change("new_category_rate", was, now, f"new categories{named}: {now:.3g}, were {was:.3g}")
    outside = feature.outside()
    if outside and carries(outside) and _rate(after, outside) > _rate(before, outside):
        was, now = _rate(before, outside), _rate(after, outside)
        return Change(
            "out_of_range_rate", was, now, f"{now:.3g} of the values are out of range, {was:.3g} were"
        )
    psi, usual = feature.drift.psi, feature.drift.typical
    return Change(
        "psi", usual, psi, f"population stability index {psi:.2g}, at most {usual:.2g} while learned"
    )


def _rate(row: Sequence[int], bins: Iterable[int]) -> float:
    total = sum(row)
    return sum(row[place] for place in bins) / total if total else float("nan")
