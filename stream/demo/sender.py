"""Shell. Sends a story's events to Kafka, keyed by model, as any producer would."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from stream.events import Event
from stream.wire import encode, partition_for

BATCH_BYTES = 1 << 18


class Sender:
    """A Kafka producer that knows the topics; ``sent`` counts events."""

    def __init__(self, brokers: str, prefix: str, partitions: int) -> None:
        self._prefix = prefix
        self._producer = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=20, max_batch_size=BATCH_BYTES)
        self._home = lru_cache(maxsize=None)(lambda model: partition_for(model, partitions))
        self.sent = 0

    async def __aenter__(self) -> Self:
        try:
            await self._producer.start()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    def _place(self, event: Event) -> TopicPartition:
        return TopicPartition(f"{self._prefix}{type(event).__name__.lower()}s", self._home(event.model))

    async def send(self, event: Event) -> None:
        """Send one event soon; the producer gathers a few."""
        place = self._place(event)
        key = event.model.encode()
        await self._producer.send(place.topic, encode(event), key=key, partition=place.partition)
        self.sent += 1

    async def send_all(self, events: Iterable[Event]) -> None:
        """Send many events in full batches; return when Kafka has them all."""
        open_batches: dict[TopicPartition, BatchBuilder] = {}
        for event in events:
            place = self._place(event)
            key, value = event.model.encode(), encode(event)
            batch = open_batches.get(place)
            if batch is None or batch.append(key=key, value=value, timestamp=None) is None:
                await self._post(place, batch)
                batch = open_batches[place] = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
            self.sent += 1
        for place, batch in open_batches.items():
            await self._post(place, batch)
        await self.flush()

    async def _post(self, place: TopicPartition, batch: BatchBuilder | None) -> None:
        if batch is not None:
            await self._producer.send_batch(batch, place.topic, partition=place.partition)

    async def flush(self) -> None:
        """Return when Kafka has everything."""
        await self._producer.flush()
