"""Shell. ``stall_p99_ms``: how long the worker's event loop is away at full load, checkpoints included."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

from bench.figure import Figure
from bench.session import Session
from bench.worker import Worker, follow
from bench.workload import Mix
from stream.kafka.guard import die_with_parent

BUCKET = re.compile(r'^tidewatch_loop_stall_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
SCRAPE_S = 5.0
"""A Prometheus scrapes every 15 s or so; three times as often here."""
UNTIL = 0.9
"""The last tenth is left out, so that the idle end of a backlog dilutes nothing."""


@dataclass(slots=True)
class Stall:
    """Seconds. ``loop_p99``: by the worker's own clock."""

    before: dict[float, float]
    """Of the worker's clock, when the watch began."""
    loop_p99: float = float("nan")
    http_p99: float = float("nan")
    http_max: float = float("nan")
    asked: int = 0


@contextlib.asynccontextmanager
async def watch(worker: Worker) -> AsyncIterator[Stall]:
    """Ask ``/healthz`` from another process, and ``/metrics`` now and then; the figures are there at the end."""
    stall = Stall(await _buckets(worker))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.readers.poller", str(worker.port)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent(),
    )
    scrapes = asyncio.create_task(_scrape(worker))
    try:
        yield stall
    finally:
        scrapes.cancel()
        printed, _ = await process.communicate(b"")  # closes its input
    found = json.loads(printed)
    stall.http_p99, stall.http_max, stall.asked = found["p99"], found["max"], found["count"]
    stall.loop_p99 = quantile(0.99, stall.before, await _buckets(worker))


async def _scrape(worker: Worker) -> None:
    while True:
        await asyncio.sleep(SCRAPE_S)
        await asyncio.to_thread(worker.child.get, "/metrics")


async def _buckets(worker: Worker) -> dict[float, float]:
    page = await asyncio.to_thread(worker.child.get, "/metrics") or ""
    return {float(bound): float(count) for bound, count in BUCKET.findall(page)}


def quantile(share: float, before: dict[float, float], after: dict[float, float]) -> float:
    """Return a quantile of what a Prometheus histogram saw in between, linear within a bucket; nan without."""
    counts = [(bound, after[bound] - before.get(bound, 0.0)) for bound in sorted(after)]
    if not counts or counts[-1][1] <= 0:
        return float("nan")
    rank = share * counts[-1][1]
    if rank <= counts[0][1]:
        return counts[0][0] * rank / counts[0][1]
    for (low, below), (high, count) in pairwise(counts):
        if rank <= count:
            return low if high == float("inf") else low + (high - low) * (rank - below) / (count - below)
    return float("nan")


async def measure(session: Session) -> None:
    """Add the stall by the worker's clock, and as its HTTP clients see it."""
    total = await session.load("w", Mix(), session.options.events)
    stalls: list[Stall] = []
    for turn in range(session.options.repeats):
        session.spin()
        async with session.worker(await session.site("w", is_known=True)) as worker:
            await worker.ready()
            async with watch(worker) as stall:
                await follow(session.cluster, worker.group, int(UNTIL * total), [worker])
        stalls.append(stall)
        session.say(f"stall {turn + 1}/{session.options.repeats}: {stall}")
    loop = [one.loop_p99 * 1_000 for one in stalls]
    http = [one.http_p99 * 1_000 for one in stalls]
    asked = f"{sum(one.asked for one in stalls)} questions every 50 ms, also late ones, scrapes every 5 s"
    session.figures += [
        Figure(
            name="stall_p99_ms",
            unit="ms",
            samples=loop,
            how="tidewatch_loop_stall_seconds at full load",
            wanted="<= 100",
        ),
        Figure(name="stall_http_p99_ms", unit="ms", samples=http, how=f"/healthz at full load; {asked}"),
        Figure(
            name="stall_http_max_ms",
            unit="ms",
            samples=[one.http_max * 1_000 for one in stalls],
            how="the slowest answer of each repetition",
        ),
    ]
