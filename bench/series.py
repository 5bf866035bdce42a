"""Shell. ``bytes_per_series``: resident memory of a model version's slice, with its breakdown."""

from __future__ import annotations

from typing import Any

from bench.figure import Figure
from bench.session import Session

FULL = 600
"""Outcomes after which no window or history grows any more."""
SMALL = 50
"""The traced runs have this many times fewer models than the fleet."""


async def measure(session: Session) -> None:
    """Add the resident memory of the fleet, corrected for how much a series still grows with more outcomes."""
    fleet, each = session.options.fleet, session.options.outcomes_per_series
    part = max(100, fleet // SMALL)
    wide = await session.program("folds", str(fleet), str(each))
    session.say(f"series: {wide}")
    young = await session.program("folds", str(part), str(each), "trace")
    old = await session.program("folds", str(part), str(FULL), "trace")
    resident = wide["bytes"] / wide["series"]
    growth = (old["traced"] - young["traced"]) / old["series"]
    outcomes = f"{wide['outcomes_per_series']:.0f} outcomes a version"
    session.figures += [
        _figure("bytes_per_series", resident + growth, "the sum of the two below", "<= 8,192"),
        _figure(
            "bytes_per_series_resident",
            resident,
            f"growth of resident memory from before any event / {wide['series']:,} series, {outcomes};"
            " series = models x 2 versions x (all + 3)",
        ),
        _figure(
            "bytes_per_series_growth",
            growth,
            f"what Python allocates more a series after {old['outcomes_per_series']:.0f} outcomes ({part} models)",
        ),
    ]
    session.notes += [*_breakdown(young), *_breakdown(old)]


def _figure(name: str, size: float, how: str, wanted: str = "") -> Figure:
    return Figure(name=name, unit="B", samples=[size], how=how, wanted=wanted)


def _breakdown(found: dict[str, Any]) -> list[str]:
    return [
        f"breakdown of a series with {found['outcomes_per_series']:.0f} outcomes ({found['series']:,} series):",
        f"    by file (tracemalloc): {_rows(found['files'])}",
        f"    by class and attribute: {_rows(found['attributes'])}",
    ]


def _rows(weights: dict[str, float]) -> str:
    return ", ".join(f"{name} {weight:,.0f}" for name, weight in weights.items())
