"""Core. Whether two versions were sent the same traffic: a canary of one country is not asked what the others are.

The slices of one name (``country=nl``, ``country=de``) part the traffic. Where their mix differs, the whole is
compared within them: each value in each stratum is a stratum of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Final

from msgspec import Struct

from stream.events import ALL
from stream.verdict.strata import Lost, Shared, Stratum, told

MUCH: Final = 0.1
"""Of the labels, so many in other slices, beyond what chance does, make another mix."""


class Mix(Struct, frozen=True):
    """The slice ``name`` whose mix differs most, and the share of labels that is elsewhere (total variation)."""

    name: str
    moved: float


def unlike(both: Shared) -> Mix | None:
    """Return the slice whose mix differs much between the two, the most; ``None`` when none does."""
    parted = [*_parted(both)]
    whole = both.rows(ALL) if parted else []
    found = [_mix(name, whole, parts) for name, parts in parted]
    return max((one for one in found if one is not None), key=lambda one: one.moved, default=None)


def within(both: Shared, name: str) -> list[Stratum]:
    """Return the strata of all predictions, parted by the values of one slice; those without it are one more."""
    parts = dict(_parted(both))[name]
    rest = [
        Stratum(*(_less(side, [part[number][place] for part in parts]) for place, side in enumerate(one)))
        for number, one in enumerate(both.rows(ALL))
    ]
    return [*told(one for part in (*parts, rest) for one in part)]


def _less(whole: Lost, parts: Sequence[Lost]) -> Lost:
    return Lost(*(cell - sum(one[place] for one in parts) for place, cell in enumerate(whole)))


def _parted(both: Shared) -> Iterator[tuple[str, list[list[Stratum]]]]:
    """Yield each slice's name, and of each of its values the strata."""
    values: dict[str, list[str]] = {}
    for one in both.slices():
        values.setdefault(one.partition("=")[0], []).append(one)
    for name, those in values.items():
        yield name, [both.rows(one) for one in those]


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
