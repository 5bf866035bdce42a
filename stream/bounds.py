"""Core. Within which bounds the values before and after a change lie, with 95 %.

A share has Wilson's interval. A mean has the normal one with the spread that the version's figures since its
rollout show, which are the sums of squares that there are. Dependence widens both, as the reference knows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import NamedTuple

from stream.events import ALL, Metric
from stream.figures.figure import Figure, Z, wilson
from stream.figures.report import of_slice, of_version
from stream.version import Version

SHARES = frozenset(("accuracy", "recall"))


class Bounds(NamedTuple):
    """Lower and upper end, in the metric's terms; ``None`` when nothing is known of them."""

    lower: float | None
    upper: float | None


NONE = Bounds(None, None)


def bounds(metric: Metric, value: float, count: int, inflation: float, spread: float) -> Bounds:
    """Return the bounds of a value that is made of ``count`` losses; ``spread`` is one loss's, inf if unknown."""
    if not count > 0 or value != value:
        return NONE
    independent = count / inflation
    if metric in SHARES:
        return Bounds(*wilson(value * independent, independent))
    half = Z * spread / sqrt(independent)
    return Bounds(value - half, value + half) if half < inf else NONE


def spread_of(version: Version, where: str, metric: Metric) -> float:
    """Return the standard deviation of one loss since the rollout; inf if that is unknown, or needless."""
    if metric in SHARES or where not in version.series:
        return inf
    whole = of_version(version.sums, version.series[ALL].place, "rollout")
    if metric == "calibration":  # wrong or not, less the chance of it
        return max((sqrt(one.value * (1.0 - one.value)) for one in _named(whole, "accuracy")), default=inf)
    found = of_slice(version.sums, version.series[where].place, "rollout") if metric == "mae" else whole
    halves = ((one.upper - one.lower) / 2.0 * sqrt(one.rows) / Z for one in _named(found, metric))
    return max(halves, default=inf)


def _named(figures: Iterable[Figure], name: str) -> Iterable[Figure]:
    return (one for one in figures if one.name == name and one.rows > 1)
