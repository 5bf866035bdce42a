"""What transactions leave at the end of a partition is nothing that waits: a worker with no work is alive."""

import asyncio
import json
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from stream import topics
from stream.events import Prediction
from stream.wire import encode, partition_for
from tests.conftest import Kafka
from tests.integration.one_model import worker

MODELS = [f"m-{number}" for number in range(4)]


def predictions(number: int) -> list[Prediction]:
    now = time.time()
    return [
        Prediction(prediction_id=str(number), model=model, version="v1", at=now, prediction="yes")
        for model in MODELS
    ]


async def send(kafka: Kafka) -> None:
    """Send events in a transaction, and as many to the wrong partition, which the worker forwards in one."""
    topic, partitions = kafka.settings().topics.predictions, kafka.settings().topics.partitions
    within = AIOKafkaProducer(bootstrap_servers=kafka.brokers, transactional_id=f"{kafka.prefix}sender")
    async with within as producer, producer.transaction():
        for event in predictions(1):
            await producer.send(topic, encode(event), key=event.model.encode())
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers) as producer:
        for event in predictions(2):
            wrong = (partition_for(event.model, partitions) + 1) % partitions
            await producer.send_and_wait(topic, encode(event), key=event.model.encode(), partition=wrong)


async def run(kafka: Kafka, folder: Path) -> tuple[dict[str, object], float]:
    """Return what ``/healthz`` says once all is folded, and the lag in records."""
    assert not (await topics.create(kafka.settings())).faults
    child = worker(kafka, folder)
    try:
        await child.ready()
        await send(kafka)
        for _ in range(300):
            child.check()
            health = json.loads(await asyncio.to_thread(child.get, "/healthz") or "{}")
            if await child.figure("tidewatch_events_total") >= 2 * len(MODELS) and not health["waiting"]:
                break
            await asyncio.sleep(0.1)
        return health, await child.figure("tidewatch_consumer_lag_records")
    finally:
        child.stop()


def test_nothing_waits_once_the_ends_of_transactions_are_all_that_is_left(
    kafka: Kafka, tmp_path: Path
) -> None:
    health, lag = asyncio.run(run(kafka, tmp_path))
    assert (health["waiting"], health["stalled"], lag) == (0, False, 0.0)
