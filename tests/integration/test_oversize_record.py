"""A record that is small on the wire and huge once read does not stop its partition."""

import asyncio
import sys
import urllib.request
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer

from stream import topics
from stream.dead_letter import LETTER_BYTES
from stream.demo.processes import free_port
from tests.conftest import Kafka
from tests.integration.test_prometheus import process

HUGE = b" " * 9_000_000
"""More than a checkpoint's producer sends in one request, and 9 KB as gzip has it."""
EVENT = b'{"type":"outcome","prediction_id":"1","model":"m","at":"2026-01-01T00:00:00Z","outcome":"x"}'


def send_compressed(kafka: Kafka, topic: str, *values: bytes) -> None:
    producer = Producer(
        {
            "bootstrap.servers": kafka.brokers,
            "compression.type": "gzip",
            "message.max.bytes": 10_000_000,
            "linger.ms": 0,
        }
    )
    for value in values:
        producer.produce(topic, value, b"m", partition=0)
    assert producer.flush(30) == 0


async def letters(kafka: Kafka, count: int) -> list:
    settings = kafka.settings(topics={"partitions": 1})
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka.brokers, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        consumer.assign([TopicPartition(settings.topics.dead_letters, 0)])
        return [await asyncio.wait_for(consumer.getone(), 60) for _ in range(count)]


def test_a_huge_compressed_record_is_a_dead_letter_and_its_partition_goes_on(
    kafka: Kafka, tmp_path: Path
) -> None:
    overrides = {"topics": {"partitions": 1}, "worker": {"port": free_port()}}
    settings = kafka.settings(**overrides)
    assert not asyncio.run(topics.create(settings)).faults
    address = f"http://127.0.0.1:{settings.worker.port}"
    command = [sys.executable, "-m", "stream", "worker"]
    with process(command, tmp_path, "worker", f"{address}/readyz", **kafka.environment(**overrides)):
        send_compressed(kafka, settings.topics.outcomes, HUGE)
        send_compressed(kafka, settings.topics.outcomes, EVENT, b"after")
        huge, after = asyncio.run(letters(kafka, 2))
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            figures = answer.read().decode()
    assert HUGE.startswith(huge.value)
    assert 1 << 20 < len(huge.value) < LETTER_BYTES
    assert dict(huge.headers)["tidewatch_reason"] == b"oversize"
    assert dict(huge.headers)["tidewatch_original_bytes"] == b"1/0/9000000"
    assert after.value == b"after"
    assert 'tidewatch_events_total{type="outcome"} 1.0' in figures
