"""Shell. A bare aiokafka consumer: ``getmany(max_records=5000)`` and JSON, nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

DECODERS: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "msgspec": msgspec.json.decode}
WARM = 0.1


async def read(brokers: str, topics: list[str], decode: Callable[[bytes], Any]) -> dict[str, float]:
    """Decode all that the topics hold; return records, seconds and CPU seconds after the first tenth."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    tps = [TopicPartition(topic, number) for topic in topics for number in range(8)]
    consumer.assign(tps)
    total = sum((await consumer.end_offsets(tps)).values())
    done, began_at, began, cpu = 0, 0.0, 0, 0.0
    while done < total:
        for batch in (await consumer.getmany(timeout_ms=1_000, max_records=5_000)).values():
            for record in batch:
                decode(record.value)
            done += len(batch)
        if not began_at and done >= total * WARM:
            began_at, began, cpu = time.monotonic(), done, time.process_time()
    seconds, cpu_s = time.monotonic() - began_at, time.process_time() - cpu
    await consumer.stop()
    return {"records": done - began, "seconds": seconds, "cpu_s": cpu_s}


def main() -> None:
    """Run: BROKERS DECODER TOPIC..."""
    brokers, decoder, *topics = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(read(brokers, topics, DECODERS[decoder]))) + "\n")


if __name__ == "__main__":
    main()
