"""Predictions of one model for a running worker."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream.demo.processes import Child
from stream.events import Prediction
from stream.wire import encode, partition_for
from tests.conftest import Kafka

MODEL = "m"


async def send(kafka: Kafka, numbers: range) -> None:
    """Send predictions with these numbers as their ids."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers) as producer:
        for number in numbers:
            event = Prediction(
                prediction_id=str(number), model=MODEL, version="v", at=time.time(), prediction="y"
            )
            topic = kafka.settings().topics.predictions
            await producer.send_and_wait(topic, encode(event), key=event.model.encode())


async def fold(kafka: Kafka, child: Child, numbers: range) -> None:
    """Send predictions; return when the worker has folded as many as there are then."""
    await send(kafka, numbers)
    await reach(child, "tidewatch_events_total", numbers.stop)


def place(kafka: Kafka) -> TopicPartition:
    """Return where the model's predictions are."""
    return TopicPartition(kafka.settings().topics.predictions, partition_for(MODEL, 2))


async def delete(kafka: Kafka, below: int) -> None:
    """Have Kafka delete the model's predictions below this offset."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.brokers)
    await admin.start()
    try:
        await admin.delete_records({place(kafka): RecordsToDelete(before_offset=below)})
    finally:
        await admin.close()


async def reach(child: Child, name: str, least: float) -> None:
    """Return when a figure of the worker is at least this."""
    while not await child.figure(name) >= least:  # nan while nothing is served
        child.check()
        await asyncio.sleep(0.1)


@contextmanager
def paused(child: Child) -> Iterator[None]:
    """Have the process read nothing meanwhile, as one that has fallen behind."""
    child.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        child.process.send_signal(signal.SIGCONT)
