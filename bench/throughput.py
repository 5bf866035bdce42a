"""Shell. ``ratio_bare`` and ``ratio_stock_faust``: one worker with everything on against decoding only.

What that is under W says bench/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from bench.figure import Figure, ratios
from bench.session import Session
from bench.worker import cpu_rate, follow, outcome_share, rate
from bench.workload import Mix

WARM, END = 0.35, 0.85
"""Before, labels of some versions may not be old enough to be judged; after, checkpoints wait for timers."""
EVERY_S = 2.0
"""Between two questions of what is folded: checkpoints of many models come a minute apart."""
HOW_WORKER = f"worker, everything on: slope of what it folded from {WARM:.0%} to {END:.0%} of W"
NAMES = ("worker", "worker_cpu", "bare", "bare_cpu", "msgspec", "stock", "stock_cpu", "flat")


class Speed(NamedTuple):
    """Events a second: on the clock, a CPU second of the worker, and on the clock early and late."""

    whole: float
    cpu: float
    early: float
    late: float
    early_outcomes: float
    """Share of outcomes in the early third, and below in the late one."""
    late_outcomes: float


async def measure(session: Session) -> None:
    """Add both ratios and the speeds behind them."""
    total = await session.load("w", Mix(), session.options.events)
    speeds: dict[str, list[float]] = {name: [] for name in NAMES}
    for turn in range(session.options.repeats):
        session.spin()
        await _repeat(session, total, speeds)
        last = {name: f"{values[-1]:,.0f}" for name, values in speeds.items() if name != "flat" and values}
        session.say(f"speed {turn + 1}/{session.options.repeats}: {last}")
    _report(session, speeds)


async def _repeat(session: Session, total: int, speeds: dict[str, list[float]]) -> None:
    topics = ["w.predictions", "w.outcomes"]
    brokers = session.cluster.brokers
    found = await fold("w", session, total, is_known=True)
    speeds["worker"].append(found.whole)
    speeds["worker_cpu"].append(found.cpu)
    speeds["flat"].append(found.late / found.early)
    session.notes.append(
        f"flat_ratio {found.late / found.early:.2f}: outcomes were {found.early_outcomes:.0%} of the early third"
        f" and {found.late_outcomes:.0%} of the late one"
    )
    bare = await session.program("bare", brokers, "json", *topics)
    _add(speeds, "bare", bare)
    speeds["msgspec"].append(await session.reader("bare", brokers, "msgspec", *topics))
    if wanted(session, "ratio_stock_faust"):
        arguments = [brokers, str(session.options.stock_s), str(total), *topics]
        _add(speeds, "stock", await session.program("stock", *arguments))


def _add(speeds: dict[str, list[float]], name: str, found: Mapping[str, float]) -> None:
    speeds[name].append(found["records"] / found["seconds"])
    speeds[f"{name}_cpu"].append(found["records"] / found["cpu_s"])


async def fold(
    inputs: str,
    session: Session,
    total: int,
    warm: float = WARM,
    extra: Mapping[str, str] | None = None,
    *,
    is_known: bool = False,
) -> Speed:
    """Return the events a second of one new worker on loaded inputs: after the warm-up, early and late third.

    Raises:
        ValueError: the run was too short for its speed.
    """
    environment = await session.site(inputs, is_known=is_known)
    async with session.worker(environment, extra) as worker:
        await worker.ready()
        samples = await follow(session.cluster, worker.group, total, [worker], every_s=EVERY_S)
    first, last = warm * total, END * total
    third, fourth = first + (last - first) / 3, last - (last - first) / 3
    whole = rate(samples, first, last)
    if math.isnan(whole):
        raise ValueError(f"{total:,} records are folded within two looks at the worker: want more --events")
    return Speed(
        whole,
        cpu_rate(samples, first, last),
        rate(samples, first, third),
        rate(samples, fourth, last),
        outcome_share(samples, first, third),
        outcome_share(samples, fourth, last),
    )


def wanted(session: Session, name: str) -> bool:
    """Return whether a figure was asked for."""
    return not session.options.only or name in session.options.only


def _report(session: Session, speeds: dict[str, list[float]]) -> None:
    session.figures += [
        _speed("worker_events_s", speeds["worker"], HOW_WORKER),
        _speed("worker_events_cpu_s", speeds["worker_cpu"], "a CPU second of the worker, all threads"),
        _speed("bare_json_events_s", speeds["bare"], "aiokafka getmany(5000) + json.loads, own process"),
        _speed("bare_msgspec_events_s", speeds["msgspec"], "the same with msgspec.json.decode"),
        *_ratios("ratio_bare", speeds, "bare", "bare consumer with json.loads", ">= 0.30"),
        Figure(
            name="flat_ratio",
            unit="x",
            samples=speeds["flat"],
            how="events/s of the last third / of the first third after warm-up; see the notes for the mix",
            wanted="about 1",
        ),
    ]
    if speeds["stock"]:
        how = "stock agent, plain transport, raw bytes + json.loads"
        session.figures.append(_speed("stock_faust_events_s", speeds["stock"], how))
        session.figures += _ratios("ratio_stock_faust", speeds, "stock", "stock Faust agent", ">= 12")


def _speed(name: str, samples: list[float], how: str) -> Figure:
    return Figure(name=name, unit="events/s", samples=samples, how=how)


def _ratios(name: str, speeds: dict[str, list[float]], other: str, what: str, goal: str) -> list[Figure]:
    """Return the ratio on the clock, and that of CPU time, which is nearly free of what else runs here."""
    return [
        Figure(
            name=name,
            unit="x",
            samples=ratios(speeds["worker"], speeds[other]),
            how=f"worker / {what}, within each repetition",
            wanted=goal,
        ),
        Figure(
            name=f"{name}_cpu",
            unit="x",
            samples=ratios(speeds["worker_cpu"], speeds[f"{other}_cpu"]),
            how="the same by events a CPU second of the process",
        ),
    ]
