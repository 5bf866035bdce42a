"""Core. What a harm hangs on: rollouts, one or two slices, inputs that moved with or without harm.

Excess is loss above the mean before the onset. An input whose values moved explains as much of it as is missing
where they did not: ``1 - e / E`` for the mean excess ``E`` of all rows since the onset and ``e`` of those in bins
that are no more frequent than in the reference. An input that moved without harm leaves ``e = E``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import combinations
from math import inf, nan, sqrt
from typing import NamedTuple

from stream.change import change_of
from stream.events import ALL, RolledOut
from stream.instant import span_in_words
from stream.onset import Onset
from stream.reference import Feature, Reference
from stream.rows import ABSENT, OUTCOME, Row, Rows
from stream.said import SAID
from stream.scan import Harm, harm
from stream.series import Series
from stream.version import OTHER, Stages

SUSPECT_S = 3_600.0
"""A rollout or a new producer this long before the onset, or less, is named as a possible cause."""
LARGE = 0.1
"""Of the index beyond chance, for an input to be named."""
NAMED = 3
"""Inputs that are named at most of those that explain, or may; as many of those that moved without harm."""
FAR = 2.0
"""Times the index that so few values usually have: of an input that goes round with the hours it is large."""
FREQUENT = 1.25
"""A bin that holds so many times its share in the reference has moved."""
FEWEST = 12
"""Rows that say anything."""
ENOUGH = 40
"""Rows of the harmed slice; with fewer, all rows speak for its inputs."""
HARMLESS = 0.4
"""An input that explains less of the excess moved without harm: so few rows can't tell it from none."""
SHARE, SMALL, NOISE = 0.8, 0.8, 2.0
"""A part carries this share of the excess at least, on this share of the rows at most; the rest shows only noise
of so many standard deviations."""


def rollouts_before(stages: Stages, onset: Onset) -> tuple[RolledOut, ...]:
    """Return the suspect rollouts, by version: up to the onset's latest time, from before its earliest."""
    return tuple(
        RolledOut(version=version, stage=stage, at=at)
        for version, (at, stage) in sorted(stages.items())
        if onset.after - SUSPECT_S <= at <= onset.before
    )


def rolled_out(rollouts: Sequence[RolledOut], onset_at: float) -> Iterator[str]:
    """Yield each rollout in words."""
    for one in rollouts:
        yield f"rollout of {one.version} to {one.stage}, {when(one.at, onset_at)}"


def when(at: float, onset_at: float) -> str:
    """Return in words when something suspect was, beside the likeliest onset."""
    if at <= onset_at:
        return f"{span_in_words(onset_at - at)} before the onset"
    return f"{span_in_words(at - onset_at)} after the likeliest onset, within its interval"


class Moved(NamedTuple):
    """An input whose newest values lie far from the reference; ``explained`` (<= 1) is nan when rows can't say.

    ``surely`` is a standard error less: what few rows say doesn't stand before what many do. ``elsewhere``: it
    moved as much outside of the harmed slice, and no more was lost there.
    """

    name: str
    psi: float
    values: int
    explained: float
    surely: float
    elsewhere: bool = False
    kind: str = ""
    """What about the values changed, in words; empty when they are only spread otherwise."""

    @property
    def is_harmless(self) -> bool:
        """Whether the rows speak against it."""
        return self.elsewhere or self.explained < HARMLESS


def causes(reference: Reference, rows: Rows, found: Harm, series: Mapping[str, Series]) -> Iterator[str]:
    """Yield in words the slices within that carry the harm, then moved inputs, those that explain most first.

    ``series`` are all of the version.
    """
    each, here, rest = rows.since(found.onset_at), list[Row](), list[Row]()
    for row in each:
        (here if is_in(row, found.slice, series) else rest).append(row)
    part = part_of(here, found.before.mean, found.slice, series)
    if part is not None:
        yield part
    usual = harm(ALL, series[ALL], found.onset_at).before.mean
    outside = Rest(rest, usual, found.after.mean - found.before.mean)
    if len(here) >= ENOUGH:
        moves = [*moved(reference, here, found.before.mean, outside)]
    else:
        moves = [*moved(reference, each, usual, outside)]
    guilty = [one for one in moves if not one.is_harmless]
    harmless = [one for one in moves if one.is_harmless]
    # a nan is no order: what rows can't tell is behind what they tell
    guilty.sort(key=lambda one: (-one.surely if one.surely == one.surely else inf, -one.psi, one.name))
    harmless.sort(key=lambda one: (-one.psi, one.name))
    for one in guilty[:NAMED] + harmless[:NAMED]:
        yield _in_words(one)


def _in_words(moved: Moved) -> str:
    what = SAID.get(moved.name, f"feature {moved.name}")
    by = f"population stability index {moved.psi:.2f} over the newest {moved.values} values"
    by = f"{by}; {moved.kind}" if moved.kind else by
    if moved.elsewhere:
        return f"{what} moved without harm, as much outside of the slice: {by}"
    if moved.explained != moved.explained:
        return f"{what} moved: {by}"
    if moved.explained < HARMLESS:
        return f"{what} moved without harm, the loss rose as much where it did not: {by}"
    return f"{what} moved and explains {max(moved.explained, 0.0):.0%} of the excess loss: {by}"


class Rest(NamedTuple):
    """The rows outside of the harmed slice, and the mean loss there before; ``excess`` is that of the slice."""

    rows: Sequence[Row]
    base: float
    excess: float


def moved(reference: Reference, rows: Sequence[Row], base: float, outside: Rest) -> Iterator[Moved]:
    """Yield the inputs whose newest values lie far from the reference."""
    for place, (name, feature) in enumerate(reference.features.items()):
        psi, count = feature.newest()
        if psi >= max(LARGE, FAR * feature.usual):
            known = [row for row in rows if place < len(row.bins) and row.bins[place] != ABSENT]
            explained = _explained(feature, place, known, base, outside)
            yield Moved(name, psi, count, *explained, kind_of(reference, name))


def kind_of(reference: Reference, name: str) -> str:
    """Return in words what about an input's newest values changed, if that is more than how they are spread."""
    values = reference.features[name].recent()
    if sum(values) < FEWEST:
        return ""
    change = change_of(reference, name, values)
    return "" if change.metric == "psi" else change.words


def _explained(
    feature: Feature, place: int, rows: Sequence[Row], base: float, outside: Rest
) -> tuple[float, float, bool]:
    """Return the share of the excess that is missing where the input did not move, and a standard error less.

    Both are nan without enough rows. The last says that it moved elsewhere as much, without harm.
    """
    excess = sum(row.loss - base for row in rows)
    if len(rows) < FEWEST or excess <= 0.0:
        return nan, nan, False
    mean, new = excess / len(rows), _new_bins(feature, place, rows)
    elsewhere = _is_elsewhere(place, rows, new, outside)
    still = [row.loss - base for row in rows if row.bins[place] not in new]
    if len(still) < FEWEST:  # nearly all of it moved, so nothing can be told apart
        return nan, nan, elsewhere
    share = 1.0 - max(sum(still) / len(still), 0.0) / mean
    return share, share - deviation(rows) / sqrt(len(still)) / mean, elsewhere


def _new_bins(feature: Feature, place: int, rows: Sequence[Row]) -> set[int]:
    """Return the bins that more values lie in than did."""
    seen = [0] * len(feature.reference)
    for row in rows:
        seen[row.bins[place]] += 1
    each = len(rows) / sum(feature.reference)
    return {at for at, known in enumerate(feature.reference) if seen[at] > FREQUENT * known * each}


def _is_elsewhere(place: int, rows: Sequence[Row], new: set[int], outside: Rest) -> bool:
    """Return whether such values are as many outside, at least half, and lost less than ``HARMLESS`` there."""
    losses = [row.loss for row in outside.rows if place < len(row.bins) and row.bins[place] in new]
    here = sum(row.bins[place] in new for row in rows) / len(rows)
    if len(losses) < FEWEST or len(losses) < here / 2.0 * len(outside.rows):
        return False
    return sum(losses) / len(losses) - outside.base < HARMLESS * outside.excess


def is_in(row: Row, where: str, known: Container[str]) -> bool:
    """Return whether a row is of a slice, which may stand for all values that are not ``known`` by themselves."""
    if where in row.slices:
        return True
    name = where.removesuffix(OTHER)
    return name != where and any(
        one.startswith(name) and one not in known and not one.startswith(OUTCOME) for one in row.slices
    )


def part_of(rows: Sequence[Row], base: float, where: str, known: Container[str]) -> str | None:
    """Return in words the smallest slice or pair of slices that carries the harm of ``where``, or ``None``.

    Of all predictions it is a slice, too, that had none before the onset; of all others, one that is not ``known``
    by itself.
    """
    counts: dict[tuple[str, ...], tuple[int, float]] = {}
    for row in rows:
        for key in _parts(row.slices, where, known):
            number, total = counts.get(key, (0, 0.0))
            counts[key] = number + 1, total + row.loss - base
    excess = sum(row.loss - base for row in rows)
    noise = NOISE * deviation(rows)
    fit = [
        (number, key, part / excess)
        for key, (number, part) in counts.items()
        if FEWEST <= number <= SMALL * len(rows)
        and part >= SHARE * excess > 0.0
        and excess - part <= noise * sqrt(len(rows) - number)
    ]
    if not fit:
        return None
    number, key, share = min(fit)
    return (
        f"{' and '.join(key)}: {share:.0%} of the excess loss on {number / len(rows):.0%} of the predictions"
    )


def _parts(slices: Sequence[str], where: str, known: Container[str]) -> Iterator[tuple[str, ...]]:
    """Yield the parts of ``where`` that these slices are: one or two of them, or ``where`` and one more."""
    others = [one for one in slices if one not in (ALL, where) and not one.startswith(OUTCOME)]
    if where == ALL:
        yield from combinations(others, 1)
        yield from combinations(others, 2)
    elif where.endswith(OTHER):
        name = where.removesuffix(OTHER)
        yield from ((one,) for one in others if one.startswith(name) and one not in known)
    else:
        for other in others:
            yield where, other


def deviation(rows: Sequence[Row]) -> float:
    """Return the standard deviation of the rows' losses; 0 without rows."""
    mean = sum(row.loss for row in rows) / max(len(rows), 1)
    return sqrt(sum((row.loss - mean) ** 2 for row in rows) / max(len(rows), 1))
