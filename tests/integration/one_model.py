"""Predictions of one model for a running worker."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import AIOKafkaProducer

from stream.demo.processes import Child
from stream.events import Prediction
from stream.wire import encode
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
    while not await child.figure("tidewatch_events_total") >= numbers.stop:  # nan while nothing is served
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
