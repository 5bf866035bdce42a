"""Shell. One partition's checkpoint in Kafka: written in one transaction, restored by a bulk read.

The transactional id belongs to the partition, so a new owner's ``open`` fences the former one before anything is
read: a stalled worker that comes back can't write any more. Order: produce, acknowledged, commit; never the
other way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from stream.engine.partition import Flush, Partition
from stream.engine.probe import Probe, Step, nothing
from stream.engine.slices import Slices

MARKER = b"tidewatch.offsets"
SCHEMA = 1
BATCH_BYTES = 1 << 20
REQUEST_BYTES = 8 << 20
STOP_AGAIN_S = 0.2
"""A reader that has not stopped after so long is told again."""


class CheckpointError(Exception):
    """The checkpoint can't be used by this release; the message names the partition and what it holds."""


class Marker(msgspec.Struct, frozen=True):
    """The inputs that a checkpoint includes: by topic, the next offset to read."""

    schema: int
    offsets: dict[str, int]


class Written(NamedTuple):
    """What a checkpoint wrote: state records, and their bytes."""

    states: int
    size: int


@asynccontextmanager
async def reader(options: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer without a group that sees only what was committed."""
    consumer = AIOKafkaConsumer(
        **options,
        enable_auto_commit=False,
        isolation_level="read_committed",
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


async def read_checkpoint(consumer: AIOKafkaConsumer, tp: TopicPartition, into: Partition) -> dict[str, int]:
    """Restore every state record of ``tp``; return the input offsets of its marker, empty when there is none.

    Raises:
        CheckpointError: the marker is not one that this release reads.
    """
    offsets, state = await read_states(consumer, tp)
    slices = Slices()
    for key, value in state.items():
        if value is not None:
            into.restore(key, value)
        await slices.pause()
    return offsets


async def read_states(
    consumer: AIOKafkaConsumer, tp: TopicPartition
) -> tuple[dict[str, int], Mapping[bytes, bytes | None]]:
    """Return the input offsets of the marker of ``tp``, empty when there is none, and its state records by key.

    Raises:
        CheckpointError: the marker is not one that this release reads.
    """
    state: dict[bytes, bytes | None] = {}
    start = (await consumer.beginning_offsets([tp]))[tp]
    end = (await consumer.end_offsets([tp]))[tp]
    async for batch in read_range(consumer, tp, start, end):
        state.update((record.key, record.value) for record in batch)
    marker = state.pop(MARKER, None)
    return {} if marker is None else offsets_of(marker, tp), state


def offsets_of(marker: bytes, tp: TopicPartition) -> dict[str, int]:
    """Return the offsets that the marker of ``tp`` holds, by topic.

    Raises:
        CheckpointError: it has another schema, or is no marker.
    """
    try:
        found = msgspec.json.decode(marker, type=Marker)
    except msgspec.DecodeError as fault:
        raise CheckpointError(f"{tp}: checkpoint marker can't be read: {fault}") from fault
    if found.schema != SCHEMA:
        raise CheckpointError(f"{tp}: checkpoint schema {found.schema}: want {SCHEMA}")
    return found.offsets


class Checkpoint:
    """Writes and restores one partition; ``number`` is the same in the inputs and in ``topic``."""

    def __init__(
        self, options: Mapping[str, Any], group: str, topic: str, number: int, probe: Probe = nothing
    ) -> None:
        self._probe = probe
        self._tp = TopicPartition(topic, number)
        self._producer = AIOKafkaProducer(
            **options,
            transactional_id=f"{group}-{number}",
            transaction_timeout_ms=60_000,
            max_request_size=REQUEST_BYTES,
            max_batch_size=BATCH_BYTES,
            linger_ms=0,
        )

    async def open(self) -> None:
        """Fence whoever owned the partition before."""
        await self._producer.start()

    async def close(self) -> None:
        """Give the producer back."""
        await self._producer.stop()

    async def read(self, consumer: AIOKafkaConsumer, into: Partition) -> dict[str, int]:
        """Restore every state record; return the input offsets, as ``read_checkpoint`` does."""
        return await read_checkpoint(consumer, self._tp, into)

    async def write(self, flush: Flush, offsets: Mapping[str, int]) -> Written:
        """Write outputs, state and marker in one transaction; return what was written once acknowledged.

        Raises:
            aiokafka.errors.ProducerFenced: the partition has another owner now.
        """
        async with self._producer.transaction():
            await self._probe(Step.BEGUN)
            pending = [await self._send_output(out) for out in flush.outputs]
            states = size = 0
            slices = Slices()
            for key, value in flush.state:
                pending.append(await self._send_state(key, value))
                states, size = states + 1, size + len(value or b"")
                await slices.pause()
            marker = msgspec.json.encode(Marker(SCHEMA, dict(offsets)))
            pending.append(await self._send_state(MARKER, marker))
            await self._probe(Step.SENT)
            await asyncio.gather(*pending)
            await self._probe(Step.ACKNOWLEDGED)
        await self._probe(Step.COMMITTED)
        return Written(states, size)

    async def _send_output(self, out: Any) -> asyncio.Future[Any]:
        return await self._producer.send(  # type: ignore[no-any-return]
            out.topic,
            out.value,
            key=out.key,
            partition=out.partition,
            headers=[*out.headers],
            timestamp_ms=out.timestamp,
        )

    async def _send_state(self, key: bytes, value: bytes | None) -> asyncio.Future[Any]:
        return await self._producer.send(  # type: ignore[no-any-return]
            self._tp.topic, value, key=key, partition=self._tp.partition
        )
