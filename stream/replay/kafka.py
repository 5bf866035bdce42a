"""Shell. A range of the input topics in the order in which Kafka received it; nothing is committed or sent."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from stream.engine.connection import client_options
from stream.refusal import DecodeError
from stream.replay.source import Line
from stream.settings import Settings
from stream.topics import demand, named_if_lost
from stream.wire import partition_for, read_event

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

WAIT_MS = 1_000
READ = 2_000
"""Records of all partitions that one fetch brings at most."""
SILENT_S = 90.0
"""A broker that sends nothing for so long is given up: longer than a transaction may stay open."""


class Range(NamedTuple):
    """Kafka times in epoch seconds: records from ``since`` on and before ``until``, or up to now."""

    since: float
    until: float | None


class Reader:
    """The records of a range, merged by Kafka's time; equal ones predictions first, then by partition."""

    def __init__(self, settings: Settings, within: Range) -> None:
        self._settings = settings
        self._within, self._tolerance = within, settings.worker.tolerance
        self.size = 0
        """Records that the range has, once it is read; holes of transactions included."""

    def lines(self, passed: Callable[[int], None]) -> Iterator[Line]:
        """Yield the records; ``passed`` is told how many were passed.

        An event that is not in its model's partition is left out, whatever its key: a worker has forwarded it, so
        it is there twice.

        Raises:
            click.ClickException: Kafka does not answer, or the topics are not as the settings have them.
        """
        demand(self._settings, "tidewatch replay", reads=self._settings.topics.inputs())
        loop = asyncio.new_event_loop()
        try:
            with named_if_lost(self._settings):
                yield from self._lines(loop, passed)
        finally:
            loop.close()

    def _lines(self, loop: asyncio.AbstractEventLoop, passed: Callable[[int], None]) -> Iterator[Line]:
        from stream.engine.reading import reader

        opened = reader(client_options(self._settings.kafka))
        consumer = loop.run_until_complete(opened.__aenter__())
        try:
            merged = loop.run_until_complete(self._begin(consumer))
            self.size = merged.left()
            while (record := merged.pop()) is not None or not merged.is_over():
                if record is None:
                    loop.run_until_complete(merged.fill())
                    passed(self.size - merged.left())
                elif self._is_home(record):
                    yield Line(
                        record.topic,
                        record.offset,
                        record.value,
                        record.timestamp,
                        key=record.key,
                        headers=record.headers,
                    )
        finally:
            loop.run_until_complete(opened.__aexit__(None, None, None))

    async def _begin(self, consumer: AIOKafkaConsumer) -> Merged:
        from aiokafka import TopicPartition

        topics, within = self._settings.topics, self._within
        numbers = range(topics.partitions)
        places = [TopicPartition(topic, number) for topic in topics.inputs() for number in numbers]
        consumer.assign(places)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
        begins = await _offsets(consumer, places, within.since, ends)
        if within.until is not None and within.until < time.time():
            ends = await _offsets(consumer, places, within.until, ends)
        for place in places:
            consumer.seek(place, begins[place])
        return Merged(consumer, begins, ends)

    def _is_home(self, record: Any) -> bool:
        """Return whether a worker takes the record where it is; what is no event is refused there."""
        event, _ = read_event(record.value, record.headers, record.timestamp / 1000.0, self._tolerance)
        if isinstance(event, DecodeError):
            return True
        return bool(record.partition == partition_for(event.model, self._settings.topics.partitions))


class Merged:
    """Records of all places, the oldest first, as far as each place has one or is over."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        begins: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        silent_s: float = SILENT_S,
    ) -> None:
        self._consumer = consumer
        self._silent_s, self._moved_at = silent_s, time.monotonic()
        self._at = dict(begins)
        self._ends = ends
        self._held: dict[TopicPartition, deque[Any]] = {place: deque() for place in begins}

    def left(self) -> int:
        """Return how many offsets are still to be read."""
        return sum(max(self._ends[place] - at, 0) for place, at in self._at.items())

    def is_over(self) -> bool:
        """Return whether there is nothing more."""
        return not any(self._held.values()) and not self._hungry()

    def _hungry(self) -> list[TopicPartition]:
        return [
            place for place, held in self._held.items() if not held and self._at[place] < self._ends[place]
        ]

    def pop(self) -> Any:
        """Return the oldest record; ``None`` when a place must be read first, or nothing is left."""
        if self._hungry():
            return None
        heads = (held[0] for held in self._held.values() if held)
        oldest = min(heads, key=lambda one: one.timestamp, default=None)
        if oldest is not None:
            next(held for held in self._held.values() if held and held[0] is oldest).popleft()
        return oldest

    async def fill(self) -> None:
        """Read from the places that have nothing here; a place ends where the range does, also in a hole.

        Raises:
            KafkaTimeoutError: nothing came for too long.
        """
        from aiokafka.errors import KafkaTimeoutError

        hungry, before = self._hungry(), self.left()
        found = await self._consumer.getmany(*hungry, timeout_ms=WAIT_MS, max_records=READ)
        for place, records in found.items():
            self._held[place].extend(one for one in records if one.offset < self._ends[place])
        for place in hungry:
            self._at[place] = await self._consumer.position(place)
        if self.left() != before:
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at >= self._silent_s:
            raise KafkaTimeoutError(f"nothing came for {self._silent_s:g} s, {before:,} records are missing")


async def _offsets(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], at: float, ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Return the first offsets of that Kafka time or later; a place without such a record is at its end."""
    found = await consumer.offsets_for_times({place: max(int(at * 1_000), 0) for place in places})
    return {place: ends[place] if (one := found.get(place)) is None else one.offset for place in places}
