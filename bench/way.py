"""Shell. ``python -m bench.way``: from the event that proves harm to the accepted page, the worker half loaded.

The worker's full load is measured first, on a backlog of workload W; then W is written live at half of that rate
while made-up models get worse one after the other. The way is split where the worker has written the finding, and
where it can be read, its transaction being committed. The last line is one JSON object.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tomli_w
from aiohttp import ClientSession
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.cluster import PARTITIONS, Cluster, write
from bench.hook import Hook
from bench.worker import Worker, cpu_s, follow, rate
from bench.workload import Mix, draw, outcomes, predictions
from stream.demo.processes import Child, free_port
from stream.events import Finding, Prediction
from stream.kafka.embedded import EmbeddedKafka
from stream.rehearsal import DELAY_S, WELL, WORSE, Rehearsal
from stream.wire import decode_told, encode, partition_for

BACKLOG, SICK, PAST, PAST_S = 400_000, 120, 1_000, 60.0
WARM = 0.5
"""Of the backlog, not measured: an event costs half while the join is in memory and the series are young."""
APART_S, STEP_S, EACH = 0.2, 0.25, 10
"""Between two models that fall ill; between two helpings of a model's events; predictions of a helping."""
SETTLE_S, WITHIN_S = 8.0, 25.0
LOAD_SHARE = 0.5
SCRAPE_S = 15
STAGES = ("worker", "commit", "pager")


class Seen:
    """When each sick model's finding was proved, written and readable; epoch seconds."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, float, float]] = {}

    async def follow(self, brokers: str, topic: str) -> None:
        """Read committed findings until cancelled."""
        async with AIOKafkaConsumer(bootstrap_servers=brokers, isolation_level="read_committed") as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            await consumer.seek_to_beginning()
            async for record in consumer:
                fact, now = decode_told(record.value), time.time()
                if isinstance(fact, Finding) and fact.state == "open" and fact.proven_at is not None:
                    self.found.setdefault(fact.model, (fact.proven_at, record.timestamp / 1000, now))


class Ward:
    """The models that fall ill."""

    def __init__(self, producer: AIOKafkaProducer, environment: dict[str, str]) -> None:
        self._producer = producer
        self._topics = [environment[f"TIDEWATCH_TOPICS_{name}"] for name in ("PREDICTIONS", "OUTCOMES")]
        self.models = [Rehearsal(f"sick-{number}", "v1") for number in range(SICK)]

    async def give(self, model: Rehearsal, since: float, until: float, count: int, wrong: float) -> None:
        """Write ``count`` predictions between two instants, and their outcomes."""
        home = partition_for(model.model, PARTITIONS)
        ats = (since + (until - since) * number / count for number in range(count))
        for event in model.events(ats, wrong):
            topic = self._topics[not isinstance(event, Prediction)]
            key = model.model.encode()
            await self._producer.send(topic, encode(event), key=key, partition=home)

    async def fall_ill(self, model: Rehearsal, after_s: float, seen: Seen) -> None:
        """Be well for a while, then wrong until that is found."""
        ill_at, since = time.time() + after_s, time.time() - DELAY_S
        ends_at = ill_at + WITHIN_S
        while model.model not in seen.found and (now := time.time()) < ends_at:
            until = now - DELAY_S
            count = EACH if now >= ill_at else 1
            await self.give(model, since, until, count, WORSE if now >= ill_at else WELL)
            since = until
            await asyncio.sleep(STEP_S if now >= ill_at else 4 * STEP_S)


async def measure(kafka: EmbeddedKafka, folder: Path) -> dict[str, float | int]:
    """Measure on a running broker."""
    cluster = Cluster(kafka, folder)
    environment = await cluster.create("way", "way")
    hook = Hook()
    receiver = await hook.start()
    owners = folder / "owners.toml"
    owners.write_text(_owners(hook), encoding="utf-8")
    pager_port = free_port()
    own = {"TIDEWATCH_PAGER_OWNERS": str(owners), "TIDEWATCH_PAGER_PORT": str(pager_port)}
    worker = Worker(cluster, environment)
    pager = Child("pager", environment | own, folder, pager_port)
    try:
        await asyncio.gather(worker.ready(), pager.ready())
        full, folded = await full_load(cluster, worker, environment)
        sys.stdout.write(f"full load: {full:,.0f} events/s\n")
        return await under_load(cluster, worker, environment, hook, full, folded)
    finally:
        worker.stop()
        pager.stop()
        await receiver.cleanup()


async def full_load(cluster: Cluster, worker: Worker, environment: dict[str, str]) -> tuple[float, int]:
    """Return how many events a second the worker folds of a backlog once it is warm, and of how many that were."""
    mix, start = Mix(median_delay_s=2.0), time.time() - 400.0
    columns = draw(np.random.default_rng(5), mix, BACKLOG, 0, start)
    names = (environment["TIDEWATCH_TOPICS_PREDICTIONS"], environment["TIDEWATCH_TOPICS_OUTCOMES"])
    total = await write(cluster.brokers, names[0], predictions(columns), mix.models)
    total += await write(cluster.brokers, names[1], outcomes(columns, time.time()), mix.models)
    samples = await follow(cluster, worker.group, total, [worker])
    return rate(samples, WARM * total, total), total


async def under_load(
    cluster: Cluster, worker: Worker, environment: dict[str, str], hook: Hook, full: float, folded: int
) -> dict[str, float | int]:
    """Let the models fall ill under half of the full load; return the figures."""
    seen = Seen()
    reading = asyncio.create_task(seen.follow(cluster.brokers, f"{worker.group}.findings"))
    async with AIOKafkaProducer(bootstrap_servers=cluster.brokers, linger_ms=0) as producer:
        ward = Ward(producer, environment)
        since = time.time() - PAST_S - DELAY_S
        for model in ward.models:
            await ward.give(model, since, time.time() - 2 * DELAY_S, PAST, WELL)
        await producer.flush()
        await follow(cluster, worker.group, folded + 2 * PAST * SICK, [worker])
        seconds = SETTLE_S + SICK * APART_S + WITHIN_S
        load = _load(cluster, environment, full * LOAD_SHARE / 2, seconds)
        assert load.stdout is not None
        ready = json.loads(await asyncio.to_thread(load.stdout.readline))
        await asyncio.sleep(ready["start_at"] - time.time())
        lags: list[float] = []
        watching = asyncio.create_task(watch(worker, lags))
        began, cpu = time.time(), cpu_s(worker.pid)
        await asyncio.gather(
            *(
                ward.fall_ill(model, SETTLE_S + number * APART_S, seen)
                for number, model in enumerate(ward.models)
            )
        )
        watching.cancel()
        busy = (cpu_s(worker.pid) - cpu) / (time.time() - began)
        await asyncio.sleep(3.0)
    written, _ = await asyncio.to_thread(load.communicate)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    sys.stdout.write(f"load: {written.decode().strip()} in {seconds:.0f} s\n")
    made = figures(seen, hook, full, json.loads(written)["records"] / seconds)
    lag = {f"lag_p{q}_records": round(float(np.quantile(lags, q / 100))) for q in (50, 99)}
    return made | lag | {"worker_busy": round(busy, 2)}


async def watch(worker: Worker, lags: list[float]) -> None:
    """Note every second how many records wait for the worker: many, and the machine had no room for it.

    The metrics are scraped as often as Prometheus does.
    """
    async with ClientSession(f"http://127.0.0.1:{worker.port}") as client:
        for second in itertools.count():
            async with client.get("/healthz") as said:
                lags.append((await said.json())["waiting"])
            if not second % SCRAPE_S:
                async with client.get("/metrics") as page:
                    await page.read()
            await asyncio.sleep(1.0)


def figures(seen: Seen, hook: Hook, full: float, load: float) -> dict[str, float | int]:
    """Return the quantiles of the whole way and of its stages."""
    ways = []
    for model, (proven, written, readable) in seen.found.items():
        incident = hook.models.get(model)
        if model.startswith("sick-") and incident is not None:
            accepted = hook.opened_at[incident]
            ways.append((written - proven, readable - written, accepted - readable, accepted - proven))
    made: dict[str, float | int] = {
        "full_load_events_s": round(full),
        "load_events_s": round(load),
        "sick": SICK,
        "found": sum(model.startswith("sick-") for model in seen.found),
        "paged": len(ways),
    }
    for name, column in zip((*STAGES, "event_to_accepted"), zip(*ways, strict=True), strict=True):
        made |= {f"{name}_p{q}_s": round(float(np.quantile(column, q / 100)), 3) for q in (50, 99)}
    return made


def _load(
    cluster: Cluster, environment: dict[str, str], per_s: float, seconds: float
) -> subprocess.Popen[bytes]:
    names = (environment["TIDEWATCH_TOPICS_PREDICTIONS"], environment["TIDEWATCH_TOPICS_OUTCOMES"])
    words = [cluster.brokers, *names, str(per_s), str(seconds), str(BACKLOG)]
    return subprocess.Popen([sys.executable, "-m", "bench.load", *words], stdout=subprocess.PIPE)


def _owners(hook: Hook) -> str:
    return tomli_w.dumps(
        {
            "network": {"allow": ["127.0.0.0/8"]},
            "grouping": {"together_s": 0},
            "receiver": [hook.receiver("hook")],
            "owner": [{"name": "bench", "models": ["sick-*"], "receivers": ["hook"]}],
            "default_owner": {"name": "unclaimed"},
        }
    )


def main() -> None:
    """Start a broker, measure, print one JSON object as the last line."""
    with tempfile.TemporaryDirectory(prefix="tidewatch-way-") as name, EmbeddedKafka() as kafka:
        made = asyncio.run(measure(kafka, Path(name)))
    sys.stdout.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
