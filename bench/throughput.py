"""Shell. ``ratio_bare`` and ``ratio_stock_faust``: one worker with everything on against decoding only."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bench.figure import Figure, ratios
from bench.session import Session
from bench.worker import follow, rate
from bench.workload import Mix

HOW_WORKER = "worker, everything on: slope of its committed offsets over the last 90 % of W"
WARM = 0.1


async def measure(session: Session) -> None:
    """Add both ratios and the speeds behind them."""
    total = await session.load("w", Mix(), session.options.events)
    speeds: dict[str, list[float]] = {name: [] for name in ("worker", "bare", "msgspec", "stock", "flat")}
    for turn in range(session.options.repeats):
        session.spin()
        await _repeat(session, total, speeds)
        last = {name: f"{values[-1]:,.0f}" for name, values in speeds.items() if name != "flat" and values}
        session.say(f"speed {turn + 1}/{session.options.repeats}: {last}")
    _report(session, speeds)


async def _repeat(session: Session, total: int, speeds: dict[str, list[float]]) -> None:
    topics = ["w.predictions", "w.outcomes"]
    brokers = session.cluster.brokers
    whole, early, late = await fold("w", session, total)
    speeds["worker"].append(whole)
    speeds["flat"].append(late / early)
    speeds["bare"].append(await session.reader("bare", brokers, "json", *topics))
    speeds["msgspec"].append(await session.reader("bare", brokers, "msgspec", *topics))
    if wanted(session, "ratio_stock_faust"):
        speeds["stock"].append(
            await session.reader("stock", brokers, str(session.options.stock_s), str(total), *topics)
        )


async def fold(
    inputs: str,
    session: Session,
    total: int,
    warm: float = WARM,
    extra: Mapping[str, str] | None = None,
) -> tuple[float, float, float]:
    """Return the events a second of one new worker on loaded inputs: after the warm-up, early and late third.

    Raises:
        ValueError: the run was too short for its speed.
    """
    environment = await session.site(inputs)
    async with session.worker(environment, extra) as worker:
        await worker.ready()
        samples = await follow(session.cluster, worker.group, total, [worker])
    third = (1 - warm) / 3
    whole = rate(samples, warm * total, total)
    if math.isnan(whole):
        raise ValueError(f"{total:,} records are folded within two checkpoints: want more --events")
    return (
        whole,
        rate(samples, warm * total, (warm + third) * total),
        rate(samples, (1 - third) * total, total),
    )


def wanted(session: Session, name: str) -> bool:
    """Return whether a figure was asked for."""
    return not session.options.only or name in session.options.only


def _report(session: Session, speeds: dict[str, list[float]]) -> None:
    def speed(name: str, samples: list[float], how: str) -> Figure:
        return Figure(name=name, unit="events/s", samples=samples, how=how)

    session.figures += [
        speed("worker_events_s", speeds["worker"], HOW_WORKER),
        speed("bare_json_events_s", speeds["bare"], "aiokafka getmany(5000) + json.loads, own process"),
        speed("bare_msgspec_events_s", speeds["msgspec"], "the same with msgspec.json.decode"),
        Figure(
            name="ratio_bare",
            unit="x",
            samples=ratios(speeds["worker"], speeds["bare"]),
            how="worker / bare consumer with json.loads, within each repetition",
            wanted=">= 0.30",
        ),
        Figure(
            name="flat_ratio",
            unit="x",
            samples=speeds["flat"],
            how="events/s of the last third / of the first third after warm-up",
            wanted="about 1",
        ),
    ]
    if speeds["stock"]:
        session.figures += [
            speed(
                "stock_faust_events_s",
                speeds["stock"],
                "stock agent, plain transport, raw bytes + json.loads",
            ),
            Figure(
                name="ratio_stock_faust",
                unit="x",
                samples=ratios(speeds["worker"], speeds["stock"]),
                how="worker / stock Faust agent, within each repetition",
                wanted=">= 12",
            ),
        ]
