"""Transactions that Kafka counts as ended, and that it has left open in their partitions (KAFKA-20734).

They are made by a producer that does not tell the coordinator where it writes; brokers refuse that unless told
otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from stream import topics
from stream.engine.checkpoint import Checkpoint, read_states
from stream.engine.connection import client_options
from stream.engine.hanging import Hanging
from stream.engine.partition import Flush, Output
from stream.engine.probe import Step
from stream.engine.reading import EVERYTHING, read_range, reader
from tests.conftest import Kafka

VERIFICATION = "transaction.partition.verification.enable"


@pytest.fixture
def careless(kafka: Kafka) -> Iterator[Kafka]:
    """A Kafka that does not ask the coordinator whether a partition takes part in a transaction."""
    admin = AdminClient({"bootstrap.servers": kafka.brokers})

    def configure(operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(VERIFICATION, "false", incremental_operation=operation)
        brokers = [
            ConfigResource(ResourceType.BROKER, str(one), incremental_configs=[entry])
            for one in admin.list_topics(timeout=30).brokers
        ]
        for done in admin.incremental_alter_configs(brokers).values():
            done.result(30)

    configure(AlterConfigOpType.SET)
    yield kafka
    configure(AlterConfigOpType.DELETE)


class Owner:
    """An owner of partition 0, whose checkpoints hold a number and tell it as a finding."""

    def __init__(self, kafka: Kafka) -> None:
        own = kafka.settings().topics
        self.told = TopicPartition(own.findings, 0)
        options = client_options(kafka.settings().kafka)
        self.checkpoint = Checkpoint(options, f"{kafka.prefix}group", own.checkpoints, 0)

    async def write(self, number: int) -> None:
        await self._write(number, Output(self.told.topic, None, str(number).encode(), partition=0))

    async def write_quietly(self, number: int) -> None:
        """Write a checkpoint that tells nothing."""
        await self._write(number)

    async def _write(self, number: int, *outputs: Output) -> None:
        await self.checkpoint.write(Flush(outputs, [(b"state", str(number).encode())]), {"input": number})

    async def write_hanging(self, number: int, *topics: str) -> None:
        """Write so that the end of the transaction does not come to these topics."""
        manager = self.checkpoint._producer._txn_manager
        add = manager.maybe_add_partition_to_txn
        manager.maybe_add_partition_to_txn = lambda tp: None if tp.topic in topics else add(tp)
        await self.write(number)
        manager.maybe_add_partition_to_txn = add

    async def write_in_vain(self, number: int) -> None:
        """Write a checkpoint that tells nothing, and be gone before it is committed."""
        begun = asyncio.Event()

        async def probe(step: Step) -> None:
            if step is Step.ACKNOWLEDGED:
                begun.set()
                await asyncio.Event().wait()

        self.checkpoint._probe = probe
        writing = asyncio.create_task(self.write_quietly(number))
        await begun.wait()
        abort = self.checkpoint._producer.abort_transaction
        self.checkpoint._producer.abort_transaction = nothing
        writing.cancel()
        await asyncio.wait({writing})
        self.checkpoint._producer.abort_transaction = abort


async def nothing() -> None: ...


@dataclass
class Case:
    """Two owners of partition 0, one after the other, and what readers of what was committed see."""

    first: Owner
    second: Owner
    committed: AIOKafkaConsumer
    everything: AIOKafkaConsumer

    async def take_over(self) -> tuple[dict[str, int], Mapping[bytes, bytes | None]]:
        """Have the second owner take over; return the offsets and the state that it restores."""
        await self.second.checkpoint.open()
        hanging = Hanging(self.committed, self.everything, [self.second.told.topic])
        await hanging.end(self.second.checkpoint)
        return await self.read()

    async def read(self) -> tuple[dict[str, int], Mapping[bytes, bytes | None]]:
        """Return the offsets and the state that are committed."""
        marker, states = await read_states(self.committed, self.first.checkpoint.place)
        return marker.offsets, states

    async def is_open(self, tp: TopicPartition) -> bool:
        stable, end = [(await one.end_offsets([tp]))[tp] for one in (self.committed, self.everything)]
        return stable < end

    async def told(self, want: int) -> list[int]:
        """Return the numbers that were told; not before there are as many as wanted, and nothing is open."""
        tp, found = self.first.told, list[int]()
        for _ in range(100):
            end = (await self.committed.end_offsets([tp]))[tp]
            batches = read_range(self.committed, tp, 0, end)
            found = [int(one.value) async for batch in batches for one in batch]
            if len(found) >= want and not await self.is_open(tp):
                break
            await asyncio.sleep(0.1)  # a marker comes a moment after the commit
        return found


def played(kafka: Kafka, play: Callable[[Case], Awaitable[None]]) -> None:
    """Play a case; its first owner has told 1."""

    async def run() -> None:
        await topics.create(kafka.settings())
        options = client_options(kafka.settings().kafka)
        async with (
            reader(options) as committed,
            reader(options, EVERYTHING) as everything,
            AsyncExitStack() as opened,
        ):
            case = Case(Owner(kafka), Owner(kafka), committed, everything)
            for owner in (case.first, case.second):
                opened.push_async_callback(owner.checkpoint.close)
            await case.first.checkpoint.open()
            await case.first.write(1)
            assert await case.told(1) == [1]
            await play(case)

    asyncio.run(run())


def test_what_a_former_owner_left_open_is_aborted_before_its_state_is_read(careless: Kafka) -> None:
    async def play(case: Case) -> None:
        place, told = case.first.checkpoint.place, case.first.told
        await case.first.write_hanging(2, place.topic, told.topic)
        assert await case.is_open(place)
        assert await case.is_open(told)
        assert await case.take_over() == ({"input": 1}, {b"state": b"1"})
        await case.second.write(3)
        assert await case.told(2) == [1, 3]
        assert await case.read() == ({"input": 3}, {b"state": b"3"})

    played(careless, play)


def test_the_next_checkpoint_ends_all_of_one_that_hangs_also_where_it_writes_nothing(careless: Kafka) -> None:
    async def play(case: Case) -> None:
        await case.first.write_hanging(2, case.first.checkpoint.place.topic, case.first.told.topic)
        await case.first.write_quietly(3)
        assert await case.told(2) == [1, 2]
        assert await case.take_over() == ({"input": 3}, {b"state": b"3"})

    played(careless, play)


def test_with_the_next_checkpoint_all_of_one_that_hangs_is_aborted(careless: Kafka) -> None:
    async def play(case: Case) -> None:
        await case.first.write_hanging(2, case.first.checkpoint.place.topic, case.first.told.topic)
        await case.first.write_in_vain(3)
        assert await case.take_over() == ({"input": 1}, {b"state": b"1"})
        await case.second.write(4)
        assert await case.told(2) == [1, 4]

    played(careless, play)


def test_what_hangs_in_an_output_alone_is_shown_by_the_first_checkpoint_after_a_takeover(
    careless: Kafka,
) -> None:
    async def play(case: Case) -> None:
        await case.first.write_hanging(2, case.first.told.topic)
        assert await case.take_over() == ({"input": 2}, {b"state": b"2"})
        assert await case.is_open(case.first.told)
        await case.second.write_quietly(3)
        assert await case.told(2) == [1, 2]

    played(careless, play)
