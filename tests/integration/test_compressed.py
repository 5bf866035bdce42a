"""What a producer compresses is read, whatever it compresses with: one such batch would end every worker."""

import asyncio
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream import topics
from stream.wire import encode
from tests.conftest import Kafka
from tests.integration.one_model import MODEL, fold, prediction, reach, worker

BEFORE, EVENTS = 2, 50


def send(kafka: Kafka, codec: str) -> None:
    """Send predictions in compressed batches: librdkafka leaves one that would not get smaller as it is."""
    producer = Producer({"bootstrap.servers": kafka.brokers, "compression.type": codec, "linger.ms": 200})
    for number in range(BEFORE, BEFORE + EVENTS):
        producer.produce(kafka.settings().topics.predictions, encode(prediction(number)), key=MODEL.encode())
    assert producer.flush(30) == 0


async def folded(kafka: Kafka, folder: Path, codec: str) -> float:
    assert not (await topics.create(kafka.settings())).faults
    child = worker(kafka, folder)
    try:
        await child.ready()
        await fold(kafka, child, range(BEFORE))
        await asyncio.to_thread(send, kafka, codec)
        await reach(child, "tidewatch_events_total", BEFORE + EVENTS)
        return await child.figure("tidewatch_dead_letters_total")
    finally:
        child.stop()


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_predictions_are_folded(kafka: Kafka, tmp_path: Path, codec: str) -> None:
    assert asyncio.run(asyncio.wait_for(folded(kafka, tmp_path, codec), 150)) == 0
