"""Shell. ``fleet_ratio``: the same traffic spread over 20,000 models instead of 200."""

from __future__ import annotations

from bench.figure import Figure, ratios
from bench.session import Session
from bench.throughput import fold
from bench.workload import Mix

WARM = 0.5
"""From the middle on is measured, when most versions have seen dozens of outcomes: of the large fleet that is the
time of two checkpoints of all its partitions."""
EXTRA = {"TIDEWATCH_MONITOR_WARMUP": "10"}
"""On both sides: with the default of 200 losses no detector of the large fleet would be at work yet."""


async def measure(session: Session) -> None:
    """Add the ratio and the speeds behind it."""
    options = session.options
    mix = Mix(models=options.fleet)
    few = await session.load("w", Mix(), options.events)
    many = await session.load("fleet", mix, options.fleet_events)
    speeds: dict[str, list[float]] = {name: [] for name in ("few", "many", "few_cpu", "many_cpu")}
    for turn in range(options.repeats):
        session.spin()
        for name, inputs, total in (("few", "w", few), ("many", "fleet", many)):
            found = await fold(inputs, session, total, WARM, EXTRA)
            speeds[name].append(found.whole)
            speeds[f"{name}_cpu"].append(found.cpu)
        session.say(f"fleet {turn + 1}/{options.repeats}: {speeds}")
    session.figures += [
        Figure(
            name="fleet_ratio",
            unit="x",
            samples=ratios(speeds["many"], speeds["few"]),
            how=f"{options.fleet:,} / {Mix().models} models, from half of a backlog on, same mix and rate;"
            f" {many // (4 * options.fleet)} outcomes a version at the end; monitor.warmup 10 on both sides",
            wanted=">= 0.75",
        ),
        Figure(
            name="fleet_cpu_ratio",
            unit="x",
            samples=ratios(speeds["many_cpu"], speeds["few_cpu"]),
            how="the same an own CPU second",
        ),
        Figure(name="fleet_events_s", unit="events/s", samples=speeds["many"], how="the large fleet"),
        Figure(name="fleet_small_events_s", unit="events/s", samples=speeds["few"], how="200 models"),
    ]
