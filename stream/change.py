"""Core. What about an input changed, from what to what: what a ticket is about, and what a page's cause says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stream.bins import parts
from stream.events import Metric
from stream.reference import MISSING, UNKNOWN, WINDOW, Reference

SHARE = 0.5
"""Of the index that one kind of bin carries, for the change to be about it; of the values, for the newest run of
the same answer."""
RARE = 1e-6
"""The chance of such a run, at most, by the share of the fullest bin in the reference."""


class Change(NamedTuple):
    """One kind of change: shares within 0..1, or the index."""

    metric: Metric
    before: float
    after: float
    words: str


def change_of(reference: Reference, name: str, after: Sequence[int]) -> Change:
    """Say which kind of bin carries most of the index of these counts, else that the values moved."""
    feature = reference.features[name]
    before = feature.reference
    shares = parts(before, after)
    total = sum(shares)

    def carries(bins: Iterable[int]) -> bool:
        return sum(shares[place] for place in bins) >= SHARE * total

    usual, run = max(before) / sum(before), reference.repeats.run
    if name == reference.answer and run >= min(WINDOW, SHARE * sum(after)) and usual**run < RARE:
        return Change("constant_rate", usual, 1.0, reference.repeats.words)
    if carries([MISSING]):
        was, now = _rate(before, [MISSING]), _rate(after, [MISSING])
        return Change("missing_rate", was, now, f"{now:.3g} of the values are missing (before: {was:.3g})")
    if carries([UNKNOWN]):
        was, now = _rate(before, [UNKNOWN]), _rate(after, [UNKNOWN])
        new = ", ".join(feature.strangers)
        named = f" ({new})" if now > was and new else ""
        return Change("new_category_rate", was, now, f"new categories{named}: {now:.3g} (before: {was:.3g})")
    outside = feature.outside()
    if outside and carries(outside) and _rate(after, outside) > _rate(before, outside):
        was, now = _rate(before, outside), _rate(after, outside)
        return Change(
            "out_of_range_rate", was, now, f"{now:.3g} of the values are out of range (before: {was:.3g})"
        )
    psi, most = feature.drift.psi, feature.drift.typical
    return Change(
        "psi", most, psi, f"population stability index {psi:.2g} (at most {most:.2g} while learned)"
    )


def _rate(row: Sequence[int], bins: Iterable[int]) -> float:
    total = sum(row)
    return sum(row[place] for place in bins) / total if total else float("nan")
