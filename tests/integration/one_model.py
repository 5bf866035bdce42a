"""A worker, and predictions of one model for it."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from stream.cluster import administrator
from stream.demo.processes import Child, free_port
from stream.events import Prediction
from stream.wire import encode, partition_for
from tests.conftest import Kafka

MODEL = "m"


def worker(kafka: Kafka, folder: Path, fault: str = "", **own: object) -> Child:
    """Start a worker that keeps its disk in the folder, with a fault point and these settings of its own."""
    port = free_port()
    own |= {"port": port, "data_dir": folder / "data"}
    return Child("worker", kafka.environment(worker=own) | {"TIDEWATCH_FAULT": fault}, folder, port)


async def owned(child: Child) -> list[int]:
    """Return the partitions that a worker has; none while it is not ready."""
    child.check()
    page = await asyncio.to_thread(child.get, "/readyz")
    return [] if page is None else json.loads(page)["partitions"]


def prediction(number: int) -> Prediction:
    """Return one of now, with this number as its id."""
    return Prediction(prediction_id=str(number), model=MODEL, version="v", at=time.time(), prediction="y")


async def send(kafka: Kafka, numbers: range) -> None:
    """Send predictions with these numbers as their ids."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers) as producer:
        for number in numbers:
            event = prediction(number)
            topic = kafka.settings().topics.predictions
            await producer.send_and_wait(topic, encode(event), key=event.model.encode())


async def fold(kafka: Kafka, child: Child, numbers: range) -> None:
    """Send predictions; return when the worker has folded as many as there are then."""
    await send(kafka, numbers)
    await reach(child, "tidewatch_events_total", numbers.stop)


async def been(kafka: Kafka, folder: Path, numbers: range) -> None:
    """Have a worker fold these predictions, and end."""
    child = worker(kafka, folder)
    try:
        await child.ready()
        await fold(kafka, child, numbers)
    finally:
        child.stop()


async def ended(child: Child, within_s: float) -> tuple[int, str]:
    """Return the exit code and the log of a worker that ends by itself."""
    try:
        code = await asyncio.to_thread(child.process.wait, within_s)
        return code, child.log.read_text()
    finally:
        child.stop()


def place(kafka: Kafka) -> TopicPartition:
    """Return where the model's predictions are."""
    return TopicPartition(kafka.settings().topics.predictions, partition_for(MODEL, 2))


async def delete(kafka: Kafka, below: int) -> None:
    """Have Kafka delete the model's predictions below this offset."""
    async with administrator(kafka.settings()) as admin:
        await admin.delete_records({place(kafka): RecordsToDelete(before_offset=below)})


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
