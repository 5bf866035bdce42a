"""Shell. A worker process as the benchmark sees it: started, watched through its group's offsets and asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from aiokafka.admin import AIOKafkaAdminClient

from bench.cluster import Cluster
from stream.demo.processes import Child, free_port

POLL_S = 0.05
TICKS = os.sysconf("SC_CLK_TCK")


class Sample(NamedTuple):
    """How many records were folded and durable, when it was seen (``time.monotonic``), and CPU seconds so far."""

    at: float
    records: int
    cpu_s: float
    outcomes: int
    """How many of the records were outcomes: a backlog of small records may drain sooner."""
    folded: float
    """Those that are not durable yet included, since the workers started; nan when one did not say."""


class Worker:
    """``python -m stream worker`` on its own port; ``extra`` are further settings."""

    def __init__(
        self,
        cluster: Cluster,
        environment: Mapping[str, str],
        extra: Mapping[str, str] | None = None,
        core: int | None = None,
        name: str = "a",
    ) -> None:
        self.group = environment["TIDEWATCH_WORKER_GROUP"]
        self.port = free_port()
        disk = cluster.folder / f"{self.group}-{name}"
        own = {
            "TIDEWATCH_WORKER_PORT": str(self.port),
            "TIDEWATCH_WORKER_DATA_DIR": str(disk),
            "TIDEWATCH_WORKER_INSTANCE": f"{self.group}-{name}",
        }
        logs = cluster.folder / f"{self.group}-{name}-logs"
        logs.mkdir(exist_ok=True)
        self.child = Child("worker", {**environment, **own, **(extra or {})}, logs, self.port)
        if core is not None:
            os.sched_setaffinity(self.pid, {core})

    @property
    def pid(self) -> int:
        """The process."""
        return self.child.process.pid

    async def ready(self, within_s: float = 120.0) -> None:
        """Return when it owns partitions."""
        await self.child.ready(within_s)

    def folded(self) -> float:
        """Return how many records it has folded since it started; nan when it does not say."""
        page = self.child.get("/healthz")
        return float("nan") if page is None else float(json.loads(page).get("folded", "nan"))

    def stop(self) -> None:
        """End it in good order."""
        self.child.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        os.killpg(self.pid, signal.SIGKILL)
        self.child.process.wait()


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used, user and system, all threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def follow(
    cluster: Cluster,
    group: str,
    until: int,
    workers: Sequence[Worker],
    within_s: float = 3_600.0,
    every_s: float = inf,
) -> list[Sample]:
    """Return every change of the group's committed offsets from now on until they sum up to ``until``.

    A worker commits after its checkpoint is acknowledged, so what ``records`` counts is folded and durable. At
    each change the workers are asked what they have folded, and ``every_s`` in between.

    Raises:
        TimeoutError: it did not get there in time.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.brokers)
    await admin.start()
    samples: list[Sample] = []
    asked_at = time.monotonic()
    deadline = asked_at + within_s
    seen = last = await committed(admin, group)
    try:
        while sum(last.values()) < until:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{group}: {last} of {until:,} records in {within_s:.0f} s")
            await asyncio.sleep(POLL_S)
            last = await committed(admin, group)
            if last != seen or time.monotonic() >= asked_at + every_s:
                samples.append(await _sample(last, workers))
                seen, asked_at = last, time.monotonic()
            for worker in workers:
                worker.child.check()
    finally:
        await admin.close()
    return samples


async def _sample(done: Mapping[str, int], workers: Sequence[Worker]) -> Sample:
    at, cpu = time.monotonic(), sum(cpu_s(one.pid) for one in workers)
    outcomes = sum(count for topic, count in done.items() if topic.endswith(".outcomes"))
    folded = sum([await asyncio.to_thread(one.folded) for one in workers])
    return Sample(at, sum(done.values()), cpu, outcomes, folded)


async def progress(cluster: Cluster, group: str) -> int:
    """Return how many records the group has done."""
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.brokers)
    await admin.start()
    try:
        return sum((await committed(admin, group)).values())
    finally:
        await admin.close()


async def committed(admin: AIOKafkaAdminClient, group: str) -> dict[str, int]:
    """Return by topic the sum of a group's committed offsets: how many records it has done."""
    offsets = await admin.list_consumer_group_offsets(group)
    done: Counter[str] = Counter()
    for tp, one in offsets.items():
        done[tp.topic] += max(0, one.offset)
    return dict(done)


def rate(samples: Sequence[Sample], start: float, end: float) -> float:
    """Return records folded a second between two counts of them, by workers that have folded all of these.

    What is folded is known at each sample, and taken as even in between. Before the first one there is start-up;
    after the last fold of a drained backlog checkpoints wait for a timer, not for work: neither counts. Fewer
    than two samples left: nan.
    """
    return _slope([one.at for one in samples], samples, start, end)


def cpu_rate(samples: Sequence[Sample], start: float, end: float) -> float:
    """Return records a second of the workers' own CPU time: what others do on the machine matters less."""
    return _slope([one.cpu_s for one in samples], samples, start, end)


def _slope(clock: Sequence[float], samples: Sequence[Sample], start: float, end: float) -> float:
    last = max((one.folded for one in samples if one.folded == one.folded), default=0.0)
    busy = [(one.folded, at) for one, at in zip(samples, clock, strict=True) if one.folded < last]
    if len(busy) < 2:
        return float("nan")
    records, at = zip(*busy, strict=True)
    first, until = max(start, records[0]), min(end, records[-1])
    seconds = float(np.interp(until, records, at) - np.interp(first, records, at))
    return (until - first) / seconds if seconds > 0 else float("nan")


def outcome_share(samples: Sequence[Sample], start: float, end: float) -> float:
    """Return the share of outcomes among the records folded between two counts of records."""
    records = [one.records for one in samples]
    first, last = np.interp([start, end], records, [one.outcomes for one in samples])
    return float((last - first) / (end - start))
