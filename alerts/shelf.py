"""Shell. Every incident as it is in Kafka: read by every pager, so that any of them can answer, and ordered from.

It shows what is durable, from the compacted incidents topic; what the book of the active pager knows beyond that
comes with its next checkpoint. Commands go to the findings topic, and the active pager folds them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from alerts.calendar import Silence
from alerts.command import Command
from alerts.incident import PREFIX, Incident
from alerts.kept import NotWritten
from alerts.silences import PREFIX as SILENCE
from alerts.silences import SetSilence, Wish
from stream.engine.checkpoint import undamaged
from stream.engine.partition import MARKER
from stream.engine.reading import reader

log = structlog.get_logger("tidewatch.pager")
WRITE_S = 10.0
"""As long is waited until Kafka has a command."""
SEEN_S = 5.0
"""As long is waited until a command shows."""
LOOK_S = 0.02
POLL_MS = 200
_decode = msgspec.json.Decoder(Incident).decode
_decode_silence = msgspec.json.Decoder(SetSilence).decode


class Shelf:
    """The incidents by id, newest first when listed, and the silences."""

    def __init__(self, options: Mapping[str, Any], incidents: str, findings: str) -> None:
        self._options = options
        self._tp = TopicPartition(incidents, 0)
        self._findings = findings
        self._held: dict[str, Incident] = {}
        self._silences: dict[str, Silence] = {}
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self.is_whole = False

    def get(self, incident_id: str) -> Incident | None:
        """Return the incident, or ``None``."""
        return self._held.get(incident_id)

    def listed(self) -> list[Incident]:
        """Return all incidents, unresolved ones first, then by their last change, newest first."""
        return sorted(self._held.values(), key=lambda one: (one.state == "resolved", -one.changed_at, one.id))

    def silences(self) -> list[Silence]:
        """Return the silences that people have set and that are not over, the one that ends first first."""
        now = time.time()
        found = [one for one in self._silences.values() if one.ends_at > now]
        return sorted(found, key=lambda one: (one.ends_at, one.name))

    async def run(self) -> None:
        """Follow the topic until cancelled.

        Raises:
            CheckpointError: records are damaged.
        """
        async with reader(self._options) as consumer:
            consumer.assign([self._tp])
            await consumer.seek_to_beginning(self._tp)
            end = (await consumer.end_offsets([self._tp]))[self._tp]
            while True:
                with undamaged():
                    found = await consumer.getmany(self._tp, timeout_ms=POLL_MS, max_records=1_000)
                for batch in found.values():
                    for record in batch:
                        self._take(record.key, record.value)
                self.is_whole = self.is_whole or await consumer.position(self._tp) >= end

    def _take(self, key: bytes, value: bytes | None) -> None:
        name = key.decode()
        if key == MARKER:
            return
        if value is None:
            self._held.pop(name, None)
            self._silences.pop(name, None)
        elif name.startswith(SILENCE):
            self._silences[name] = _decode_silence(value).silence
        elif name.startswith(PREFIX):
            self._held[name] = _decode(value)

    async def order(self, command: Command, done: Callable[[Incident], bool]) -> Incident | None:
        """Write a command; return the incident once it shows as ``done``, ``None`` if it doesn't in time."""
        await self._write(command.incident, command)

        def held() -> Incident | None:
            found = self._held.get(command.incident)
            return found if found is not None and done(found) else None

        await _until(lambda: held() is not None)
        return held()

    async def wish(self, wish: Wish, done: Callable[[], bool]) -> bool:
        """Write a wish for a silence or its end; return whether it is ``done``, ``False`` if not in time."""
        await self._write(wish.id, wish)
        return await _until(done)

    async def _write(self, key: str, wish: Command | Wish) -> None:
        try:
            async with asyncio.timeout(WRITE_S):
                producer = await self._started()
                value = msgspec.json.encode(wish)
                await producer.send_and_wait(self._findings, value, key=key.encode(), partition=0)
        except (KafkaError, TimeoutError) as fault:
            log.warning("command not written", fault=repr(fault))
            raise NotWritten from fault

    async def _started(self) -> AIOKafkaProducer:
        """Return the producer, begun by the first who needs it; one that can't be begun is let go."""
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options, enable_idempotence=True)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        """Let the producer go."""
        if self._producer is not None:
            await self._producer.stop()


async def _until(true: Callable[[], bool]) -> bool:
    """Wait for as long as is worth waiting; return whether it came true."""
    ends = time.monotonic() + SEEN_S
    while time.monotonic() < ends:
        if true():
            return True
        await asyncio.sleep(LOOK_S)
    return true()
