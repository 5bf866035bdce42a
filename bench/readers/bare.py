"""Shell. A bare aiokafka consumer: ``getmany(max_records=5000)`` and JSON, nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.readers.meter import Meter

DECODERS: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "msgspec": msgspec.json.decode}


async def read(brokers: str, topics: list[str], decode: Callable[[bytes], Any]) -> dict[str, float]:
    """Decode all that the topics hold; return records, seconds and CPU seconds after the first tenth."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    tps = [TopicPartition(topic, number) for topic in topics for number in range(8)]
    consumer.assign(tps)
    meter = Meter(sum((await consumer.end_offsets(tps)).values()))
    while meter.done < meter.total:
        for batch in (await consumer.getmany(timeout_ms=1_000, max_records=5_000)).values():
            for record in batch:
                decode(record.value)
            meter.take(len(batch))
    found = meter.figures()
    await consumer.stop()
    return found


def main() -> None:
    """Run: BROKERS DECODER TOPIC..."""
    brokers, decoder, *topics = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(read(brokers, topics, DECODERS[decoder]))) + "\n")


if __name__ == "__main__":
    main()
