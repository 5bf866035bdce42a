"""A worker with a name of its own comes back to its partitions, wherever it starts again."""

import asyncio
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from stream import topics
from stream.demo.processes import Child, free_port
from stream.events import Prediction
from stream.wire import encode
from tests.conftest import Kafka


def worker(kafka: Kafka, folder: Path) -> Child:
    own = {"instance": "worker-0", "port": free_port(), "data_dir": folder / "data"}
    return Child("worker", kafka.environment(worker=own), folder, own["port"])


async def send(kafka: Kafka, *events: Prediction) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers) as producer:
        for event in events:
            topic = kafka.settings().topics.predictions
            await producer.send_and_wait(topic, encode(event), key=event.model.encode())


async def events_reach(child: Child, count: int) -> None:
    while not await child.figure("tidewatch_events_total") >= count:  # nan while nothing is served
        child.check()
        await asyncio.sleep(0.1)


def prediction(number: str) -> Prediction:
    return Prediction(prediction_id=number, model="m", version="v1", at=time.time(), prediction="yes")


async def live_twice(kafka: Kafka, folder: Path) -> None:
    """Kill a worker that owns everything; return when the next one has folded an event."""
    assert not (await topics.create(kafka.settings())).faults
    first, second = (prediction(number) for number in "12")
    child = worker(kafka, folder)
    try:
        await child.ready()
        await send(kafka, first)
        await asyncio.wait_for(events_reach(child, 1), 30)
        child.process.kill()
        child.process.wait()
        await send(kafka, second)
        child = worker(kafka, folder)
        await asyncio.wait_for(events_reach(child, 1), 60)
    finally:
        child.stop()


def test_a_killed_worker_has_its_partitions_again_at_another_address(kafka: Kafka, tmp_path: Path) -> None:
    asyncio.run(live_twice(kafka, tmp_path))
