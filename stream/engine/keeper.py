"""Shell. Keeps the folds of all assigned partitions: restores, feeds and checkpoints them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ProducerFenced

from stream.engine.checkpoint import Checkpoint, read_range, reader
from stream.engine.partition import Partition, PartitionFactory
from stream.engine.telemetry import EngineTelemetry

LOG = structlog.get_logger()


@dataclass(slots=True)
class Held:
    """One partition in memory: its fold, its checkpoint, and the next offset of each input."""

    fold: Partition
    checkpoint: Checkpoint
    offsets: dict[str, int] = field(default_factory=dict)
    changed: bool = False


class Keeper:
    """The state behind one process's assignment. All methods run on the worker's event loop."""

    def __init__(
        self,
        *,
        options: Mapping[str, Any],
        group: str,
        inputs: Sequence[str],
        checkpoints: str,
        factory: PartitionFactory,
        telemetry: EngineTelemetry,
    ) -> None:
        self._options = options
        self._group = group
        self._inputs = tuple(inputs)
        self._checkpoints = checkpoints
        self._factory = factory
        self._telemetry = telemetry
        self._held: dict[int, Held] = {}
        self._released: list[Checkpoint] = []
        self._writing = asyncio.Lock()
        self.urgent = asyncio.Event()
        self.progressed_at = time.monotonic()

    def folds(self) -> Mapping[int, Partition]:
        """Return the live folds by partition number."""
        return {number: held.fold for number, held in self._held.items()}

    def apply(self, batch: Sequence[ConsumerRecord]) -> None:
        """Fold one fetched batch; records that the state includes already are skipped."""
        topic = batch[0].topic
        held = self._held.get(batch[0].partition)
        if held is None:
            return
        start = held.offsets.get(topic, 0)
        fresh = batch if batch[0].offset >= start else [record for record in batch if record.offset >= start]
        if not fresh:
            return
        if held.fold.apply(fresh):
            self.urgent.set()
        held.offsets[topic] = batch[-1].offset + 1
        held.changed = True
        self.progressed_at = time.monotonic()

    def _urge(self, number: int) -> Callable[[], None]:
        def urge() -> None:
            if number in self._held:
                self._held[number].changed = True
                self.urgent.set()

        return urge

    async def checkpoint(self) -> Mapping[Any, int]:
        """Write every changed partition; return the offsets that are durable now."""
        durable: dict[Any, int] = {}
        async with self._writing:
            self.urgent.clear()
            for number, held in list(self._held.items()):
                if held.changed and await self._write(number, held):
                    durable |= {TopicPartition(topic, number): at for topic, at in held.offsets.items()}
        return durable

    async def _write(self, number: int, held: Held) -> bool:
        """Write one partition; False when it has another owner by now."""
        began = time.monotonic()
        held.changed = False
        flush, offsets = held.fold.flush(), dict(held.offsets)
        try:
            size = await held.checkpoint.write(flush, offsets)
        except ProducerFenced:
            LOG.warning(
                "fenced", partition=number, meaning="another process owns it; this one's work is void"
            )
            self._held.pop(number, None)
            self._released.append(held.checkpoint)
            held.fold.close()
            return False
        held.fold.committed()
        self._telemetry.checkpoint_seconds.observe(time.monotonic() - began)
        self._telemetry.checkpoint_bytes.inc(size)
        self._telemetry.checkpoint_at.labels(number).set(time.time())
        return True

    async def restore(self, assigned: set[Any]) -> Mapping[Any, int]:
        """Take over the assigned input partitions; return where to read each of their topics."""
        await self.close()
        numbers = sorted({tp.partition for tp in assigned if tp.topic in self._inputs})
        offsets: dict[Any, int] = {}
        async with reader(self._options) as consumer:
            for number in numbers:
                began = time.monotonic()
                held = await self._take(consumer, number)
                offsets |= {TopicPartition(topic, number): held.offsets[topic] for topic in self._inputs}
                self._telemetry.restore_seconds.labels(number).set(time.monotonic() - began)
        self._telemetry.partitions.set(len(numbers))
        LOG.info("assigned", partitions=numbers)
        return {tp: at for tp, at in offsets.items() if tp in assigned}

    async def _take(self, consumer: AIOKafkaConsumer, number: int) -> Held:
        held = Held(
            self._factory(number, self._urge(number)),
            Checkpoint(self._options, self._group, self._checkpoints, number),
        )
        await held.checkpoint.open()
        held.offsets = await held.checkpoint.read(consumer, held.fold)
        inputs = [TopicPartition(topic, number) for topic in self._inputs]
        earliest = await consumer.beginning_offsets(inputs)
        await self._rebuild(consumer, held, inputs)
        for tp in inputs:
            held.offsets[tp.topic] = max(held.offsets.get(tp.topic, 0), earliest[tp])
        self._held[number] = held
        held.fold.committed()
        return held

    async def _rebuild(
        self, consumer: AIOKafkaConsumer, held: Held, inputs: Sequence[TopicPartition]
    ) -> None:
        since = held.fold.rebuild_since()
        if since is None:
            return
        starts = await consumer.offsets_for_times({tp: max(0, int(since * 1000)) for tp in inputs})
        for tp in inputs:
            end = held.offsets.get(tp.topic, 0)
            found = starts.get(tp)
            if found is not None and found.offset < end:
                async for batch in read_range(consumer, tp, found.offset, end):
                    held.fold.rebuild(batch)

    def release(self) -> None:
        """Forget all partitions: they may have another owner from here on."""
        for held in self._held.values():
            held.fold.close()
            self._released.append(held.checkpoint)
        self._held = {}
        self._telemetry.forget()

    async def close(self) -> None:
        """Give everything back; call after the last checkpoint."""
        self.release()
        released, self._released = self._released, []
        for checkpoint in released:
            await checkpoint.close()

    def measure_lag(self, highwater: Callable[[Any], int | None]) -> int:
        """Set the lag metrics from the consumer's high-water marks; return the sum of records waiting."""
        total = 0
        for number, held in self._held.items():
            for topic, offset in held.offsets.items():
                waiting = max(0, (highwater(TopicPartition(topic, number)) or 0) - offset)
                self._telemetry.lag.labels(topic, number).set(waiting)
                total += waiting
        return total
