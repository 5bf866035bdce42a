"""Shell. The embedded Kafka of a benchmark run: its topics, and records written into them fast."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from unittest.mock import patch

from aiokafka import AIOKafkaProducer

from bench.workload import Record, model_names
from stream.kafka.embedded import EmbeddedKafka
from stream.settings import load
from stream.topics import create
from stream.wire import partition_for

PARTITIONS = 8
BATCH_BYTES = 900_000


class Cluster:
    """A broker, started where a measurement needs one; ``folder`` is for logs and files."""

    def __init__(self, kafka: EmbeddedKafka, folder: Path) -> None:
        self.kafka = kafka
        self.brokers = kafka.brokers
        self.folder = folder

    def environment(self, inputs: str, run: str) -> dict[str, str]:
        """Return the settings of a worker that reads ``inputs`` and keeps its own state and group ``run``."""
        return {
            "TIDEWATCH_KAFKA_BROKERS": self.brokers,
            "TIDEWATCH_TOPICS_PREFIX": f"{run}.",
            **{f"TIDEWATCH_TOPICS_{name.upper()}": f"{inputs}.{name}" for name in INPUTS},
            "TIDEWATCH_TOPICS_PARTITIONS": str(PARTITIONS),
            "TIDEWATCH_WORKER_GROUP": run,
        }

    async def create(self, inputs: str, run: str) -> dict[str, str]:
        """Create what is missing of the topics; return the environment of a worker on them.

        Raises:
            RuntimeError: the topics are not as the worker wants them.
        """
        environment = self.environment(inputs, run)
        with patch.dict(os.environ, environment):
            report = await create(load())
        if report.faults:
            raise RuntimeError("; ".join(map(str, report.faults)))
        return environment

    def broker_pid(self) -> int:
        """Return the process of the Java virtual machine: the newest child of the guard.

        Raises:
            RuntimeError: it is not running.
        """
        guard = self.kafka._guard
        if guard is None:
            raise RuntimeError("the embedded Kafka is not running")
        children = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()
        return int(children[-1])


INPUTS = ("predictions", "outcomes", "rollouts")


async def write(brokers: str, topic: str, records: Iterable[Record], models: int) -> int:
    """Write the records, keyed by model with murmur2, with their own timestamps; return how many."""
    keys = model_names(models)
    homes = [partition_for(key.decode(), PARTITIONS) for key in keys]
    async with AIOKafkaProducer(
        bootstrap_servers=brokers, max_batch_size=BATCH_BYTES, max_request_size=4 << 20, acks=1
    ) as producer:
        open_batches = [producer.create_batch() for _ in range(PARTITIONS)]
        waiting: list[asyncio.Future[object]] = []
        written = 0
        for arrived_ms, model, value in records:
            home = homes[model]
            if open_batches[home].append(key=keys[model], value=value, timestamp=arrived_ms) is None:
                waiting.append(await producer.send_batch(open_batches[home], topic, partition=home))
                open_batches[home] = producer.create_batch()
                open_batches[home].append(key=keys[model], value=value, timestamp=arrived_ms)
            written += 1
        for home, batch in enumerate(open_batches):
            if batch.record_count():
                waiting.append(await producer.send_batch(batch, topic, partition=home))
        await asyncio.gather(*waiting)
    return written


def as_json(facts: Mapping[str, float]) -> str:
    """Return one line of JSON; nan, which JSON has not, is null."""
    return json.dumps({name: None if value != value else round(value, 4) for name, value in facts.items()})
