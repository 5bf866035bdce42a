"""Shell. Consumers without a group, and the bulk read of a range."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

REQUEST_BYTES = 8 << 20
COMMITTED, EVERYTHING = "read_committed", "read_uncommitted"
STOP_AGAIN_S = 0.2
"""A reader that has not stopped after so long is told again."""


@asynccontextmanager
async def reader(
    options: Mapping[str, Any], isolation_level: str = COMMITTED
) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer without a group; it sees only what was committed unless told otherwise."""
    consumer = AIOKafkaConsumer(
        **options,
        enable_auto_commit=False,
        isolation_level=isolation_level,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=10,  # the next request waits behind a fetch that finds nothing
        max_partition_fetch_bytes=REQUEST_BYTES,
    )
    try:
        await consumer.start()
        await asyncio.sleep(0)  # a task of aiokafka that is stopped before its first step fails the stop
        yield consumer
    finally:
        await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, whatever it does: aiokafka's fetcher passes over a cancel while its assignment changes."""
    stopping = asyncio.create_task(consumer.stop())
    while not (await asyncio.wait({stopping}, timeout=STOP_AGAIN_S))[0]:
        consumer._fetcher._fetch_task.cancel()
    await stopping


async def read_range(
    consumer: AIOKafkaConsumer, tp: TopicPartition, start: int, end: int
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Yield the records of ``tp`` with ``start <= offset < end``, in batches."""
    if start >= end:
        return
    consumer.assign([tp])
    consumer.seek(tp, start)
    while await consumer.position(tp) < end:
        for batch in (await consumer.getmany(tp, timeout_ms=500, max_records=5_000)).values():
            yield [record for record in batch if record.offset < end]
