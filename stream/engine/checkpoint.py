"""Shell. One partition's checkpoint in Kafka: written in one transaction, restored by a bulk read.

The transactional id belongs to the partition, so a new owner's ``open`` fences the former one before anything is
read: a stalled worker that comes back can't write any more. Order: produce, acknowledged, commit; never the
other way.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IllegalOperation
from aiokafka.structs import RecordMetadata

from stream.engine.damaged import Damaged
from stream.engine.partition import MARKER, Flush, Partition
from stream.engine.probe import Probe, Step, nothing
from stream.engine.reading import REQUEST_BYTES, read_range
from stream.engine.skew import Skew, apart_s
from stream.engine.slices import Slices
from stream.engine.topic_ids import made_again, told, topic_ids
from stream.engine.unseen import Unseen

SCHEMA = 1
BATCH_BYTES = 1 << 20
TRANSACTION_S = 60.0
_APPEND_TIME = 1
"""aiokafka's number of a timestamp that the broker has set."""


class CheckpointError(Exception):
    """The checkpoint can't be used by this release; the message names the partition and what it holds."""


class Marker(msgspec.Struct, frozen=True):
    """The inputs that a checkpoint includes: by topic, the next offset to read, and the id where one is known."""

    schema: int
    offsets: dict[str, int]
    ids: dict[str, str] = {}


class Written(NamedTuple):
    """What a checkpoint wrote: state records, and their bytes."""

    states: int
    size: int


async def read_checkpoint(consumer: AIOKafkaConsumer, tp: TopicPartition, into: Partition) -> Marker:
    """Restore every state record of ``tp``; return its marker, one without offsets when there is none.

    Raises:
        CheckpointError: the marker is not one that this release reads.
    """
    marker, state = await read_states(consumer, tp)
    slices = Slices()
    for key, value in state.items():
        if value is not None:
            into.restore(key, value)
        await slices.pause()
    return marker


async def read_states(
    consumer: AIOKafkaConsumer, tp: TopicPartition
) -> tuple[Marker, Mapping[bytes, bytes | None]]:
    """Return the marker of ``tp``, one without offsets when there is none, and its state records by key.

    Raises:
        CheckpointError: the marker is not one that this release reads, or records are damaged.
    """
    state: dict[bytes, bytes | None] = {}
    start = (await consumer.beginning_offsets([tp]))[tp]
    end = (await consumer.end_offsets([tp]))[tp]
    with undamaged():
        async for batch in read_range(consumer, tp, start, end):
            state.update((record.key, record.value) for record in batch)
    marker = state.pop(MARKER, None)
    return Marker(SCHEMA, {}) if marker is None else marker_of(marker, tp), state


@contextmanager
def undamaged() -> Iterator[None]:
    """Say of damaged records that they are a checkpoint's, of which no part can be given up.

    Raises:
        CheckpointError: says where they are.
    """
    try:
        yield
    except Damaged as fault:
        raise CheckpointError(
            f"{fault}; want another copy of them to be read, or an empty topic in place of this one"
            " (docs/operations.md, Damaged records)"
        ) from fault


def marker_of(marker: bytes, tp: TopicPartition) -> Marker:
    """Return the marker of ``tp``.

    Raises:
        CheckpointError: it has another schema, or is no marker.
    """
    try:
        found = msgspec.json.decode(marker, type=Marker)
    except msgspec.DecodeError as fault:
        raise CheckpointError(f"{tp}: checkpoint marker can't be read: {fault}") from fault
    if found.schema != SCHEMA:
        raise CheckpointError(f"{tp}: checkpoint schema {found.schema}: want {SCHEMA}")
    return found


def why_fenced(lasted_s: float) -> str:
    """Return in words what fences a writer whose transaction was open for so long."""
    if lasted_s > TRANSACTION_S:
        return f"Kafka ended its transaction, open for over {TRANSACTION_S:g} s: a slow broker, or a quota"
    return "another process owns it; this one's work is void"


def _look_at(done: asyncio.Future[Any]) -> None:
    """Look at its fault: one that nobody looked at is logged when it is thrown away."""
    if not done.cancelled():
        done.exception()


def _skew_s(sent_at: float, acknowledged: RecordMetadata) -> float:
    """Return how far this machine's clock is ahead of the broker's; ``nan`` where the topic bears ours."""
    if acknowledged.timestamp_type != _APPEND_TIME or acknowledged.timestamp is None:
        return math.nan
    return apart_s(sent_at, acknowledged.timestamp / 1000, time.time())


class Checkpoint:
    """Writes and restores one partition; ``number`` is the same in the inputs and in ``topic``."""

    def __init__(
        self,
        options: Mapping[str, Any],
        group: str,
        topic: str,
        number: int,
        probe: Probe = nothing,
        skew: Skew | None = None,
    ) -> None:
        self._probe = probe
        self._skew = skew or Skew()
        self.place = TopicPartition(topic, number)
        self.unseen = Unseen[TopicPartition]()
        self._ids: dict[str, str] = {}
        """Of the inputs; ``topic_ids.UNTOLD`` where Kafka tells none."""
        self._producer = AIOKafkaProducer(
            **options,
            transactional_id=f"{group}-{number}",
            transaction_timeout_ms=round(1_000 * TRANSACTION_S),
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

    @property
    def client(self) -> AIOKafkaClient:
        """What asks brokers."""
        return self._producer.client

    async def partitions(self, topics: Collection[str]) -> list[TopicPartition]:
        """Return all partitions of these topics."""
        return [TopicPartition(one, at) for one in topics for at in await self._producer.partitions_for(one)]

    async def abort_in(self, tps: Iterable[TopicPartition]) -> None:
        """Abort what this transactional id has left open in these partitions; nothing is written to them."""
        await self._producer.begin_transaction()
        self._take_part(tps)
        await self._producer.abort_transaction()

    def _take_part(self, tps: Iterable[TopicPartition]) -> None:
        for tp in tps:
            self._producer._txn_manager.maybe_add_partition_to_txn(tp)

    async def read(self, consumer: AIOKafkaConsumer, into: Partition) -> dict[str, int]:
        """Restore every state record; return the input offsets, as ``read_checkpoint`` does.

        Raises:
            CheckpointError: it can't be used, or is of inputs that were made again since.
        """
        marker = await read_checkpoint(consumer, self.place, into)
        now = await topic_ids(consumer._client, marker.offsets)
        self._ids = {**now, **marker.ids, **told(now)}
        again = made_again(marker.ids, now)
        if again:
            raise CheckpointError(
                f"{', '.join(again)}: deleted and made again since {self.place.topic} was written, so its offsets"
                " are of another log; want a topic of another name, or an empty one for checkpoints"
                " (docs/operations.md)"
            )
        return marker.offsets

    async def write(self, flush: Flush, offsets: Mapping[str, int]) -> Written:
        """Write outputs, state and marker in one transaction; return what was written once acknowledged.

        Raises:
            aiokafka.errors.ProducerFenced: the partition has another owner now.
        """
        pending: list[asyncio.Future[Any]] = []
        async with self._transaction(pending):
            await self._probe(Step.BEGUN)
            # what ends this transaction ends what may hang of those before it, and in all places alike
            self._take_part(self.unseen.places)
            for out in flush.outputs:
                pending.append(await self._send_output(out))  # noqa: PERF401 one that fails leaves the others
            states = size = 0
            slices = Slices()
            for key, value in flush.state:
                pending.append(await self._send_state(key, value))
                states, size = states + 1, size + len(value or b"")
                await slices.pause()
            marker = msgspec.json.encode(Marker(SCHEMA, dict(offsets), await self._known(offsets)))
            sent_at = time.time()
            pending.append(await self._send_state(MARKER, marker))
            await self._probe(Step.SENT)
            sent = await asyncio.gather(*pending)
            self._skew.learn(_skew_s(sent_at, sent[-1]))
            await self._probe(Step.ACKNOWLEDGED)
        newest = (*sent[: len(flush.outputs)], sent[-1])
        self.unseen.expect({one.topic_partition: one.offset for one in newest})
        await self._probe(Step.COMMITTED)
        return Written(states, size)

    @asynccontextmanager
    async def _transaction(self, pending: Sequence[asyncio.Future[Any]]) -> AsyncIterator[None]:
        """Begin and commit; one that fails leaves of what is ``pending`` nothing to be logged.

        aiokafka refuses what is sent after the producer was fenced, and does not say why.
        """
        try:
            async with self._producer.transaction():
                yield
        except BaseException as fault:
            for one in pending:
                one.add_done_callback(_look_at)
            manager = self._producer._txn_manager
            if isinstance(fault, IllegalOperation) and manager.is_fatal_error():
                await manager.wait_for_transaction_end()  # raises why
            raise

    async def _known(self, topics: Collection[str]) -> dict[str, str]:
        """Return the ids of the inputs, which are asked for once."""
        new = [topic for topic in topics if topic not in self._ids]
        self._ids |= await topic_ids(self.client, new)
        return told(self._ids)

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
            self.place.topic, value, key=key, partition=self.place.partition
        )
