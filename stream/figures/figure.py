"""Core. A figure: its value, of how many, and within which bounds the truth lies with 95 %.

Wilson's interval (Wilson 1927) for shares; the normal one, from a sum and a sum of squares, for means. Bounds say
what chance does to independent rows; labels that depend on each other make the truth wider than that.
"""

from __future__ import annotations

from math import inf, isnan, nan, sqrt
from typing import NamedTuple

Z = 1.959964
"""Standard deviations to each side that hold 95 % of a normal distribution."""


class Figure(NamedTuple):
    """``rows`` it is made of; with none, value and bounds are nan. ``label`` is a class or ""."""

    name: str
    label: str
    value: float
    lower: float
    upper: float
    rows: int


def undefined(name: str, label: str = "", count: float = 0.0) -> Figure:
    """Return the figure of which nothing can be said."""
    return Figure(name, label, nan, nan, nan, round(count))


def share(name: str, hits: float, count: float, label: str = "") -> Figure:
    """Return ``hits / count`` with Wilson's interval; undefined for a count of 0 or less."""
    if count <= 0.0:
        return undefined(name, label)
    lower, upper = wilson(hits, count)
    return Figure(name, label, hits / count, lower, upper, round(count))


def wilson(hits: float, count: float) -> tuple[float, float]:
    """Return the bounds, within 0..1, of the share behind ``hits`` of ``count`` (> 0)."""
    rate, square = hits / count, Z * Z / count
    middle = (rate + square / 2.0) / (1.0 + square)
    half = Z * sqrt(max(rate * (1.0 - rate), 0.0) / count + square / (4.0 * count)) / (1.0 + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def mean(name: str, total: float, squares: float, count: float) -> Figure:
    """Return ``total / count`` with the normal interval; of one row alone the bounds are infinite."""
    if count <= 0.0:
        return undefined(name)
    value = total / count
    spread = sqrt(max(squares / count - value * value, 0.0) / (count - 1.0)) if count > 1.0 else inf
    return normal(name, value, spread, count)


def normal(
    name: str, value: float, error: float, count: float, least: float = -inf, most: float = inf
) -> Figure:
    """Return a figure with a standard error, its bounds cut at what is possible; undefined for a nan."""
    if isnan(value):
        return undefined(name, count=count)
    return Figure(name, "", value, max(value - Z * error, least), min(value + Z * error, most), round(count))
