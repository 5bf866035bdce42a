"""Shell. ``bytes_per_series``: resident memory of a model version's slice, with its breakdown."""

from __future__ import annotations

from bench.figure import Figure
from bench.session import Session

FULL = 600
"""Outcomes after which no window or history grows any more."""
SMALL = 20
"""The full and the traced run have this many times fewer models than the fleet."""


async def measure(session: Session) -> None:
    """Add the heavier of two figures: the whole fleet with few outcomes each, a part of it with many."""
    fleet, each = session.options.fleet, session.options.outcomes_per_series
    part = max(50, fleet // SMALL)
    wide = await session.program("folds", str(fleet), str(each))
    session.say(f"series: {wide}")
    full = await session.program("folds", str(part), str(FULL))
    session.say(f"series: {full}")
    traced = await session.program("folds", str(part), str(each), "trace")
    sizes = [(wide["bytes"] + wide["fixed"]) / wide["series"], full["bytes"] / full["series"]]
    session.figures += [
        Figure(
            name="bytes_per_series",
            unit="B",
            samples=[max(sizes)],
            how="the larger of the two below; fixed slices: series = models x 2 versions x (all + 3)",
            wanted="<= 8,192",
        ),
        _figure("bytes_per_series_fleet", wide, sizes[0], "from before any event"),
        _figure("bytes_per_series_full", full, sizes[1], "without what a join of any size takes"),
    ]
    session.notes += [
        f"memory of folds that does not grow with the series: {wide['fixed'] / 2**20:,.0f} MiB",
        f"breakdown of a series with {traced['outcomes_per_series']:.0f} outcomes ({part} models):",
        f"    by file (tracemalloc): {_rows(traced['files'])}",
        f"    by class and attribute: {_rows(traced['attributes'])}",
    ]


def _figure(name: str, found: dict[str, float], size: float, since: str) -> Figure:
    how = (
        f"growth of resident memory / {found['series']:,} series,"
        f" {found['outcomes_per_series']:.0f} outcomes a version, {since}"
    )
    return Figure(name=name, unit="B", samples=[size], how=how)


def _rows(weights: dict[str, float]) -> str:
    return ", ".join(f"{name} {weight:,.0f}" for name, weight in weights.items())
