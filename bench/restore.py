"""Shell. ``restore_s``: from the start of a worker after ``kill -9`` to its next event folded and durable."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from bench.cluster import write
from bench.figure import Figure
from bench.session import Session
from bench.worker import Worker, follow, resident_bytes
from bench.workload import Mix, draw, predictions

NEW = 2_000
"""Predictions that wait for the restarted worker."""


async def measure(session: Session) -> None:
    """Add the time to the next event with the whole fleet's state in the checkpoint."""
    options = session.options
    mix = Mix(models=options.fleet)
    done = await session.load("fleet", mix, options.fleet_events)
    environment = await session.site("fleet")
    worker = Worker(session.cluster, environment)
    seconds: list[float] = []
    try:
        await worker.ready()
        await follow(session.cluster, worker.group, done, [worker])
        grown = resident_bytes(worker.pid)
        for turn in range(options.repeats):
            session.spin()
            worker.kill()
            await append(session, mix, turn)
            began = time.monotonic()
            worker = Worker(session.cluster, environment)
            samples = await follow(session.cluster, worker.group, done + 1, [worker], 600)
            seconds.append(samples[0].at - began)
            done += NEW
            await follow(session.cluster, worker.group, done, [worker], 600)
            session.say(f"restore {turn + 1}/{options.repeats}: {seconds[-1]:.1f} s")
    finally:
        await asyncio.to_thread(worker.stop)
    session.figures.append(
        Figure(
            name="restore_s",
            unit="s",
            samples=seconds,
            how=f"{options.fleet:,} models, kill -9, from exec to the first new committed offset (its checkpoint"
            f" included); resident before the kill {grown / 2**20:,.0f} MiB",
            wanted="<= 15",
        )
    )


async def append(session: Session, mix: Mix, turn: int) -> None:
    """Write new predictions of the fleet, numbered beyond all that were loaded."""
    rng = np.random.default_rng(session.options.seed + 1 + turn)
    columns = draw(rng, mix, NEW, 10**9 + turn * NEW, time.time() - NEW / mix.rate)
    await write(session.cluster.brokers, "fleet.predictions", predictions(columns), mix.models)
