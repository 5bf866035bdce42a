"""Core. Whether two versions were sent the same traffic: a canary of one country is not asked what the others are.

The slices of one name (``country=nl``, ``country=de``) part the traffic. Where their mix differs, the whole is
compared within them: each value in each stratum is a stratum of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from typing import Final, NamedTuple

from msgspec import Struct

from stream.events import ALL
from stream.verdict.strata import Lost, Shared, Stratum, told

MUCH: Final = 0.1
"""Of the labels, so many in other slices, beyond what chance does, make another mix."""


class Mix(Struct, frozen=True):
    """The slice ``name`` whose mix differs most, and the share of labels that is elsewhere (total variation)."""

    name: str
    moved: float


class Parted(NamedTuple):
    """The strata of all that is compared by the slice ``name``, and those of each of its values."""

    name: str
    whole: Sequence[Stratum]
    parts: Sequence[Sequence[Stratum]]


def unlike(both: Shared) -> Mix | None:
    """Return the slice whose mix differs much between the two, the most; ``None`` when none does."""
    found = [_mix(*one) for one in _parted(both)]
    return max((one for one in found if one is not None), key=lambda one: one.moved, default=None)


def within(both: Shared, name: str) -> list[Stratum]:
    """Return the strata of all predictions, parted by the values of one slice; those without it are one more."""
    whole, parts = next((one.whole, one.parts) for one in _parted(both) if one.name == name)
    rest = [
        Stratum(*(_less(side, [part[number][place] for part in parts]) for place, side in enumerate(one)))
        for number, one in enumerate(whole)
    ]
    return [*told(one for part in (*parts, rest) for one in part)]


def _less(whole: Lost, parts: Sequence[Lost]) -> Lost:
    return Lost(*(cell - sum(one[place] for one in parts) for place, cell in enumerate(whole)))


def _parted(both: Shared) -> Iterator[Parted]:
    """Yield the slices' names that both versions send.

    Where one may have some values in an "other", only those are compared that it has not.
    """
    values: dict[str, list[str]] = {}
    for one in both.slices():
        values.setdefault(one.partition("=")[0], []).append(one)
    for name, those in values.items():
        parts = [both.rows(one) for one in those]
        held = [
            Stratum(*(_added(side) for side in zip(*row, strict=True))) for row in zip(*parts, strict=True)
        ]
        if any(one.ours.labels for one in held) and any(one.others.labels for one in held):
            yield Parted(name, held if both.has_other(name) else both.rows(ALL), parts)


def _added(some: Iterable[Lost]) -> Lost:
    return Lost(*map(sum, zip(*some, strict=True)))


def _mix(name: str, whole: Sequence[Stratum], parts: Sequence[Sequence[Stratum]]) -> Mix | None:
    """Return how far the mix of some parts differs, weighed as losses are; ``None`` if not much, or by chance."""
    labels = [(one.ours.labels, one.others.labels) for one in whole]
    time = sum(ours * others / (ours + others) for ours, others in labels if ours + others)
    moved, noise, rest = 0.0, 0.0, 0.0
    for part in parts:
        more = held = 0.0
        for one, (ours, others) in zip(part, labels, strict=True):
            both = ours + others
            if both:
                more += (one.ours.labels * others - one.others.labels * ours) / both
            held += one.ours.labels + one.others.labels
        moved, rest = moved + abs(more), rest - more
        noise += sqrt(held / max(sum(map(sum, labels)), 1.0) * time)
    if not time > 0.0:
        return None
    moved = (moved + abs(rest)) / 2.0 / time
    return Mix(name, moved) if moved > MUCH + noise / 2.0 / time else None
