"""Shell. ``two_worker_ratio``: two workers on two cores against one on one, the broker accounted for.

While one worker reads, the broker is pinned to the other core: on the worker's own it would slow the one side down
and not be given back, and two could be more than twice as fast as one.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from itertools import chain
from typing import NamedTuple

from bench.figure import Figure, ratios
from bench.session import Session
from bench.worker import TICKS, Worker, cpu_s, follow, progress
from bench.workload import Mix

UNTIL = 0.8
"""Both workers have records left until then: partitions are not equally busy."""
READY_S = 120.0
QUIET = 0.15
"""Cores that others (the poll of this program among them) may use; above it the ratio says little."""


class Use(NamedTuple):
    """One window of steady reading: events a second, and cores used by whom."""

    speed: float
    workers: float
    broker: float
    machine: float


async def measure(session: Session) -> None:
    """Add the ratio as it is on the clock and with the broker's share of the cores given back."""
    total = await session.load("pair", Mix(), 2 * session.options.events)
    cores = sorted(os.sched_getaffinity(0))[:2]
    ones: list[Use] = []
    twos: list[Use] = []
    for turn in range(session.options.repeats):
        session.spin()
        with pinned(session.cluster.broker_pid(), set(cores[1:])):
            ones.append(await _use(session, total, cores[:1]))
        twos.append(await _use(session, total, cores))
        session.say(f"pair {turn + 1}/{session.options.repeats}: {ones[-1]} {twos[-1]}")
    _report(session, ones, twos)


async def _use(session: Session, total: int, cores: Sequence[int]) -> Use:
    """Run one worker a core, each pinned to it, on the same group.

    Raises:
        ValueError: the backlog was too short.
    """
    environment = await session.site("pair", is_known=True)
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(session.worker(environment, None, core, f"core{core}"))
            for core in cores
        ]
        await _all_share(workers)
        done = await progress(session.cluster, workers[0].group)
        began = (await follow(session.cluster, workers[0].group, done + 1, workers))[-1]
        before, until = _clocks(session, workers), int(UNTIL * total)
        if began.records >= until:
            raise ValueError(
                f"{began.records:,} records were durable before all had a share: want more --events"
            )
        ended = (await follow(session.cluster, workers[0].group, until, workers))[-1]
        spent = [after - one for after, one in zip(_clocks(session, workers), before, strict=True)]
    seconds = ended.at - began.at
    return Use((ended.folded - began.folded) / seconds, *(one / seconds for one in spent))


@contextmanager
def pinned(pid: int, cores: Collection[int]) -> Iterator[None]:
    """Keep every thread of a process, and those that it starts meanwhile, on ``cores``; give all cores back after.

    No ``cores``: it runs where it likes.
    """
    before = os.sched_getaffinity(pid)
    try:
        _move(pid, cores or before)
        yield
    finally:
        _move(pid, before)


def _move(pid: int, cores: Collection[int]) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        with suppress(ProcessLookupError):  # it ended since
            os.sched_setaffinity(int(thread), cores)


async def _all_share(workers: Sequence[Worker]) -> None:
    """Return when every worker owns its share of the partitions.

    Raises:
        TimeoutError: they did not share in time.
    """
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        pages = [await asyncio.to_thread(worker.child.get, "/readyz") for worker in workers]
        owned = [json.loads(page)["partitions"] for page in pages if page]
        if len(owned) == len(workers) and sorted(chain.from_iterable(owned)) == list(range(8)):
            return
        for worker in workers:
            worker.child.check()
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{len(workers)} workers did not share the partitions within {READY_S:.0f} s")


def _clocks(session: Session, workers: Sequence[Worker]) -> list[float]:
    """Return CPU seconds so far: of the workers, of the broker, of the machine without idle time."""
    with open("/proc/stat") as file:
        fields = [int(one) for one in file.readline().split()[1:9]]
    busy = (sum(fields) - fields[3] - fields[4]) / TICKS
    return [sum(cpu_s(one.pid) for one in workers), cpu_s(session.cluster.broker_pid()), busy]


def _report(session: Session, ones: Sequence[Use], twos: Sequence[Use]) -> None:
    wall = ratios([two.speed for two in twos], [one.speed for one in ones])
    corrected = [ratio * 2 / (2 - two.broker) for ratio, two in zip(wall, twos, strict=True)]
    cost = [
        (two.workers / two.speed) / (one.workers / one.speed) for one, two in zip(ones, twos, strict=True)
    ]
    session.figures += [
        Figure(
            name="two_worker_ratio",
            unit="x",
            samples=corrected,
            how="ratio on the clock x 2 / (2 - cores used by the broker while two workers read)",
            wanted=">= 1.7",
        ),
        Figure(
            name="two_worker_wall_ratio",
            unit="x",
            samples=wall,
            how="events/s of two workers, each pinned to a core that the broker shares / of one, the broker on"
            " the other core",
        ),
        Figure(
            name="two_worker_cpu_ratio",
            unit="x",
            samples=cost,
            how="worker CPU seconds an event with two workers / with one",
        ),
    ]
    if max(_others(use) for use in [*ones, *twos]) > QUIET:
        session.notes.append(
            f"two_worker_ratio is NOT to be relied on: others used more than {QUIET} of a core while it was made"
        )
    for name, uses in (("one", ones), ("two", twos)):
        session.notes += [f"{name} worker(s): {_shown(use)}" for use in uses]


def _others(use: Use) -> float:
    return use.machine - use.workers - use.broker


def _shown(use: Use) -> str:
    return (
        f"{use.speed:,.0f} events/s; cores used: workers {use.workers:.2f}, broker {use.broker:.2f},"
        f" everybody else on this machine {_others(use):.2f}"
    )
