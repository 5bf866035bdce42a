"""Shell. ``make bench-paging``: one pager on a real Kafka: latency, a storm, kills, ten thousand open incidents.

The last line is one JSON object. Findings are written straight to the findings topic, so ``finding_to_accepted``
is the pager's own share of the way from the event to the page; the whole of it is measured by ``bench.way``.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w
from aiohttp import ClientSession
from aiokafka import AIOKafkaProducer

from bench import way
from bench.hook import Hook
from bench.worker import resident_bytes
from stream.demo.processes import Child, free_port
from stream.events import Finding
from stream.kafka.embedded import EmbeddedKafka
from stream.settings import Settings
from stream.topics import create
from stream.wire import encode

TEAMS = tuple(f"team{number}" for number in range(10))
TOKEN = "bench-bench-bench-bench-bench"
APART_S = 10_000.0
"""Onsets this far apart are never one incident."""
PACED, PACE_S, STORM, KILLED, KILLS, OPEN = 300, 0.05, 1_000, 300, 6, 10_000


class Pager:
    """One pager process at a time; killed and started again at will."""

    def __init__(self, environment: Mapping[str, str], folder: Path, port: int) -> None:
        own = {**environment, "TIDEWATCH_PAGER_PORT": str(port)}
        self._begin = partial(Child, "pager", own, folder, port)
        self.child = self._begin()

    def start(self) -> None:
        """Start a process anew."""
        self.child = self._begin()

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.child.process.kill()
        self.child.process.wait()


class Bench:
    """The cluster, the receiver, the pager, and what is measured."""

    def __init__(self, hook: Hook, pager: Pager, producer: AIOKafkaProducer, topic: str, api: int) -> None:
        self.hook = hook
        self.pager = pager
        self._producer = producer
        self._topic = topic
        self._api = api
        self._sent = 0

    async def write(self, *facts: Finding) -> None:
        """Write findings and wait until Kafka has them."""
        waits = [await self._producer.send(self._topic, encode(fact)) for fact in facts]
        await asyncio.gather(*waits)
        self._sent += len(facts)

    async def quiet(self) -> None:
        """Return when every finding is folded and every notification is out."""
        ends = time.monotonic() + 120.0
        while time.monotonic() < ends:
            if await self.pager.child.figure("tidewatch_consumer_lag_records") == 0:
                waiting = await self.pager.child.figure("tidewatch_notifications_pending")
                if waiting == 0 and await self.pager.child.figure("tidewatch_partitions_assigned") > 0:
                    await asyncio.sleep(0.5)
                    if await self.pager.child.figure("tidewatch_notifications_pending") == 0:
                        return
            await asyncio.sleep(0.2)
        raise RuntimeError("the pager did not become quiet in time")

    async def latency(self) -> dict[str, float]:
        """Page one incident after the other."""
        sent_at: dict[str, float] = {}
        for number in range(PACED):
            fact = finding("paced", number, TEAMS[number % 10], number * APART_S)
            sent_at[fact.model] = time.time()
            await self.write(fact)
            await asyncio.sleep(PACE_S)
        await self.quiet()
        took = sorted(self.hook.opened_at[self.hook.models[name]] - at for name, at in sent_at.items())
        return {
            "finding_to_accepted_p50_s": round(took[len(took) // 2], 4),
            "finding_to_accepted_p99_s": round(took[int(len(took) * 0.99)], 4),
        }

    async def storm(self) -> dict[str, float]:
        """Let 1,000 models of 10 teams fail together."""
        before, onset = len(self.hook.opened_at), 50_000_000.0
        began = time.monotonic()
        await self.write(*(finding("storm", n, TEAMS[n % 10], onset + n % 60) for n in range(STORM)))
        await self.quiet()
        return {
            "storm_pages": len(self.hook.opened_at) - before,
            "storm_settled_s": round(time.monotonic() - began, 2),
        }

    async def kills(self) -> dict[str, float]:
        """Kill the pager again and again while pages are under way to a receiver that takes its time."""
        self.hook.delay_s = 0.1
        dice, names = random.Random(1), [f"killed-{number}" for number in range(KILLED)]
        killing = asyncio.create_task(self._kill(dice))
        for number in range(KILLED):
            await self.write(finding("killed", number, TEAMS[number % 10], 100_000_000.0 + number * APART_S))
            await asyncio.sleep(0.1)
        await killing
        await self.quiet()
        self.hook.delay_s = 0.0
        told = [name for name in names if any(model.endswith(f".{name}") for model in self.hook.models)]
        return {
            "kills": KILLS,
            "lost": KILLED - len(told),
            "repeats": self.hook.repeats,
            "repeats_with_new_id": sum(len(ids) - 1 for ids in self.hook.ids.values()),
        }

    async def _kill(self, dice: random.Random) -> None:
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0.2, 2.0))
            self.pager.kill()
            self.pager.start()
            await _until(self._owns, 60.0)

    async def _owns(self) -> bool:
        return await self.pager.child.figure("tidewatch_partitions_assigned") > 0

    async def crowd(self) -> dict[str, float]:
        """Keep ten thousand incidents open and list them."""
        facts = [finding("crowd", n, "nobody", 1e9 + n * APART_S) for n in range(OPEN)]
        for first in range(0, OPEN, 500):
            await self.write(*facts[first : first + 500])
        await self.quiet()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        took = []
        async with ClientSession(headers=headers) as client:
            url = f"http://127.0.0.1:{self._api}/api/incidents?owner=unclaimed&limit=100"
            await _until(lambda: _counts(client, url), 60.0)
            for _ in range(20):
                began = time.monotonic()
                async with client.get(url) as answer:
                    answer.raise_for_status()
                    await answer.read()
                took.append(time.monotonic() - began)
        return {
            "open_10000_resident_mb": round(resident_bytes(self.pager.child.process.pid) / 2**20, 1),
            "open_10000_list_p95_s": round(sorted(took)[18], 3),
        }


async def _counts(client: ClientSession, url: str) -> bool:
    async with client.get(url) as answer:
        return answer.status == 200 and int((await answer.json())["count"]) >= OPEN


async def _until(true: Callable[[], Awaitable[bool]], within_s: float) -> None:
    ends = time.monotonic() + within_s
    while not await true():
        if time.monotonic() > ends:
            raise RuntimeError(f"did not happen within {within_s} s")
        await asyncio.sleep(0.2)


def finding(kind: str, number: int, team: str, onset_at: float) -> Finding:
    """Return a finding about a model of its own."""
    model = f"{team}.{kind}-{number}"
    return Finding(
        id=f"{kind}-{number}", state="open", severity="page", model=model, version="7", slice="all",
        metric="accuracy", direction="worse", before=0.91, after=0.62, before_count=5_000, after_count=300,
        onset_at=onset_at, detected_at=onset_at + 30.0, events_since_onset=300, episode=1,
        examples=tuple(f"p-{one}" for one in range(5)), proven_at=time.time(),
    )  # fmt: skip


def owners(hook: Hook, api: int) -> str:
    """Return the owners file: ten teams with a webhook each, and a default owner whom nothing reaches."""
    tables: dict[str, Any] = {
        "network": {"allow": ["127.0.0.0/8"]},
        "api": {"port": api, "token": [{"name": "bench", "token": TOKEN}]},
        "receiver": [hook.receiver(team) for team in TEAMS],
        "owner": [{"name": team, "models": [f"{team}.*"], "receivers": [team]} for team in TEAMS],
        "default_owner": {"name": "unclaimed"},
    }
    return tomli_w.dumps(tables)


async def run(folder: Path, brokers: str, ports: Sequence[int]) -> dict[str, float]:
    """Measure everything on a running broker."""
    environment = {"TIDEWATCH_KAFKA_BROKERS": brokers, "TIDEWATCH_PAGER_OWNERS": str(folder / "owners.toml")}
    settings = Settings(kafka={"brokers": brokers})
    await create(settings)
    hook = Hook()
    receiver = await hook.start()
    (folder / "owners.toml").write_text(owners(hook, ports[1]), encoding="utf-8")
    pager = Pager(environment, folder, ports[0])
    figures: dict[str, float] = {}
    try:
        async with AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=0) as producer:
            bench = Bench(hook, pager, producer, settings.topics.findings, ports[1])
            await bench.quiet()
            for part in (bench.latency, bench.storm, bench.kills, bench.crowd):
                figures |= await part()
                sys.stdout.write(f"{part.__name__}: {figures}\n")
                sys.stdout.flush()
    except RuntimeError:
        sys.stderr.write(pager.child.tail())
        raise
    finally:
        pager.kill()
        await receiver.cleanup()
    return figures


def main() -> None:
    """Start a broker, measure, print one JSON object as the last line."""
    with tempfile.TemporaryDirectory(prefix="tidewatch-paging-") as name, EmbeddedKafka() as kafka:
        figures = asyncio.run(run(Path(name), kafka.brokers, (free_port(), free_port())))
        figures |= asyncio.run(way.measure(kafka, Path(name)))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
