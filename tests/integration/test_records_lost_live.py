"""A worker that has fallen behind while Kafka deletes what it has not read says how much it never saw."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from stream import topics
from tests.conftest import Kafka
from tests.integration.one_model import delete, fold, paused, place, reach, send, worker

FOLDED, SENT, LATER = 20, 50, 60


async def committed(kafka: Kafka, at: int) -> None:
    """Return when the group's offset is there."""
    group = kafka.settings().worker.group
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka.brokers, group_id=group, enable_auto_commit=False
    ) as consumer:
        while True:
            if await consumer.committed(place(kafka)) == at:
                return
            await asyncio.sleep(0.1)


async def behind(kafka: Kafka, folder: Path, below: int) -> tuple[float, float, float, str]:
    """Return what a worker that fell behind counts as lost and as folded, what the next has lost, and its log."""
    assert not (await topics.create(kafka.settings())).faults
    first = worker(kafka, folder)
    try:
        await first.ready()
        await fold(kafka, first, range(FOLDED))
        with paused(first):
            await send(kafka, range(FOLDED, SENT))
            await delete(kafka, below)
        await reach(first, "tidewatch_records_lost_total", 1)
        await committed(kafka, SENT)  # also when nothing is left to fold
        lost = await first.figure("tidewatch_records_lost_total")
        await send(kafka, range(SENT, LATER))
        await reach(first, "tidewatch_events_total", LATER - lost)
        folded = await first.figure("tidewatch_events_total")
        first.process.kill()
    finally:
        first.stop()
    log = first.log.read_text()
    second = worker(kafka, folder)
    try:
        await second.ready()
        return lost, folded, await second.figure("tidewatch_records_lost_total"), log
    finally:
        second.stop()


@pytest.mark.parametrize("below", [43, SENT], ids=["some are left", "none is left"])
def test_a_worker_that_fell_behind_says_what_was_deleted_before_it_came_to_it(
    kafka: Kafka, tmp_path: Path, below: int
) -> None:
    lost, folded, again, log = asyncio.run(asyncio.wait_for(behind(kafka, tmp_path, below), 150))
    assert lost + folded == LATER
    assert below - FOLDED - 1 <= lost <= below - FOLDED  # a fetch under way may bring the first
    assert again == 0, "it is durable that they are passed over"
    (told,) = [line for line in log.splitlines() if "records lost" in line]
    assert f'"topic": "{place(kafka).topic}", "partition": {place(kafka).partition}' in told
    assert f'"records": {lost:.0f}' in told
    assert "retention.ms" in told
