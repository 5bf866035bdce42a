"""Shell. ``pending_rss_bytes`` and ``pending_ratio``: millions of predictions that still wait for their outcome.

Two workers have the same warm-up. One then takes the pending predictions; after that both get chunks of the
same traffic in turn, only that half of the outcomes of the first are for pending predictions of long ago.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import NamedTuple

import numpy as np

from bench.cluster import write
from bench.figure import Figure, ratios
from bench.session import Session
from bench.worker import Worker, follow, rate, resident_bytes
from bench.workload import Columns, Mix, Record, answers, draw, outcomes, predictions, silent

SPAN_S = 7_200.0
"""The pending predictions were made in the last two hours; the label horizon is three days."""
WARM = 200_000
OLD_SHARE = 0.5
SETTLE_S = 4.0


class Side(NamedTuple):
    """One of the two workers and the name of its inputs."""

    inputs: str
    worker: Worker


async def measure(session: Session) -> None:
    """Add both figures."""
    options, mix = session.options, Mix()
    started_at = time.time() - SPAN_S - WARM / mix.rate
    room = {"TIDEWATCH_WORKER_PENDING_BUDGET": str(2 * options.pending + 2_000_000)}
    async with AsyncExitStack() as stack:
        sides, done = [], {}
        for inputs in ("pending", "plain"):
            done[inputs] = await session.load(inputs, mix, WARM, started_at)
            environment = await session.site(inputs)
            worker = await stack.enter_async_context(session.worker(environment, room))
            await worker.ready()
            await follow(session.cluster, worker.group, done[inputs], [worker])
            sides.append(Side(inputs, worker))
        grown = await _fill(session, sides[0], done)
        speeds: dict[str, list[float]] = {"pending": [], "plain": []}
        for turn in range(options.repeats):
            session.spin()
            for side in sides:
                speeds[side.inputs].append(await _chunk(session, side, done, turn))
            session.say(f"pending {turn + 1}/{options.repeats}: {speeds}")
    _report(session, grown, speeds)


async def _fill(session: Session, side: Side, done: dict[str, int]) -> int:
    """Add the pending predictions; return by how much the worker has grown."""
    await asyncio.sleep(SETTLE_S)
    count = session.options.pending
    before = resident_bytes(side.worker.pid)
    rng, mix = np.random.default_rng(session.options.seed), Mix(rate=count / SPAN_S)
    records = silent(rng, mix, count, 0, time.time() - SPAN_S)
    began = time.monotonic()
    done[side.inputs] += await write(
        session.cluster.brokers, f"{side.inputs}.predictions", records, mix.models
    )
    await follow(session.cluster, side.worker.group, done[side.inputs], [side.worker])
    session.say(f"pending: {count:,} folded in {time.monotonic() - began:.0f} s")
    await asyncio.sleep(SETTLE_S)
    return resident_bytes(side.worker.pid) - before


async def _chunk(session: Session, side: Side, done: dict[str, int], turn: int) -> float:
    """Write one chunk of new traffic; return the events a second with which it was folded."""
    mix, half = Mix(), session.options.chunk // 2
    rng = np.random.default_rng(100 + turn)
    columns = draw(rng, mix, half, 10**9 + turn * half, time.time() - half / mix.rate)
    made = list(predictions(columns))
    known = list(outcomes(columns, float("inf")))
    if side.inputs == "pending":
        known = _with_old(session, columns, turn)
    brokers, before = session.cluster.brokers, done[side.inputs]
    total = await write(brokers, f"{side.inputs}.predictions", made, mix.models)
    total += await write(brokers, f"{side.inputs}.outcomes", known, mix.models)
    done[side.inputs] += total
    samples = await follow(session.cluster, side.worker.group, done[side.inputs], [side.worker])
    return rate(samples, before + 0.1 * total, before + total)


def _with_old(session: Session, columns: Columns, turn: int) -> list[Record]:
    """Return as many outcomes as W has; half of them for pending predictions drawn from all over the past."""
    new = list(outcomes(columns, float("inf")))[:: round(1 / OLD_SHARE)]
    count, turns = session.options.pending, session.options.repeats
    # those of one turn are distinct, and no two turns share any: n % turns is the turn
    few = min(len(new), count // turns)
    numbers = np.random.default_rng(turn).choice(count // turns, few, replace=False) * turns + turn
    return _merge(new, list(answers(Mix(), numbers, new[0].arrived_ms / 1_000)))


def _merge(one: list[Record], other: list[Record]) -> list[Record]:
    return [record for pair in zip(one, other, strict=False) for record in pair]


def _report(session: Session, grown: int, speeds: dict[str, list[float]]) -> None:
    count = session.options.pending
    session.figures += [
        Figure(
            name="pending_rss_bytes",
            unit="B",
            samples=[grown],
            how=f"growth of resident memory by {count:,} pending predictions ({grown / count:,.0f} B each) of"
            " 200 models with scores and slices, without features",
            wanted="<= 1,073,741,824 for 10 million",
        ),
        Figure(
            name="pending_ratio",
            unit="x",
            samples=ratios(speeds["pending"], speeds["plain"]),
            how="W with half of its outcomes for random old pending predictions / W on a worker without any",
            wanted=">= 0.5",
        ),
        Figure(
            name="pending_events_s",
            unit="events/s",
            samples=speeds["pending"],
            how="with pending predictions",
        ),
        Figure(name="pending_plain_events_s", unit="events/s", samples=speeds["plain"], how="without"),
    ]
