"""A topic that is made again under its name under a running worker: its records would be taken for known ones."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

from stream import topics
from stream.cluster import administrator
from stream.demo.processes import Child
from tests.conftest import Kafka
from tests.integration.one_model import been, ended, fold, paused, send, worker

EVENTS = 20
MISSED = "not found in cluster metadata"
"""What aiokafka logs of a topic that Kafka does not have."""


async def delete(kafka: Kafka, topic: str) -> None:
    async with administrator(kafka.settings()) as admin:
        await admin.delete_topics([topic])
        while True:
            if topic not in await admin.list_topics():
                return
            await asyncio.sleep(0.1)


async def missed(child: Child) -> None:
    """Return when the worker has seen that there is no topic, or has ended by that."""
    while True:
        if child.process.poll() is not None or MISSED in child.log.read_text():
            return
        await asyncio.sleep(0.1)


async def interrupted(kafka: Kafka, folder: Path, *, while_paused: bool, new: int) -> tuple[int, str]:
    """Return the exit code of a worker whose predictions were made again, with ``new`` ones, and its log."""
    assert not (await topics.create(kafka.settings())).faults
    child = worker(kafka, folder)
    try:
        await child.ready()
        await fold(kafka, child, range(EVENTS))
        with paused(child) if while_paused else nullcontext():
            await delete(kafka, kafka.settings().topics.predictions)
            if not while_paused:
                await missed(child)
            assert not (await topics.create(kafka.settings())).faults
            await send(kafka, range(EVENTS, EVENTS + new))
        code = await asyncio.to_thread(child.process.wait, 90)
        return code, child.log.read_text()
    finally:
        child.stop()


async def refused(kafka: Kafka, folder: Path) -> tuple[int, str]:
    """Return how a worker ends whose predictions were made again while none ran, with more than were read."""
    assert not (await topics.create(kafka.settings())).faults
    await been(kafka, folder, range(EVENTS))
    await delete(kafka, kafka.settings().topics.predictions)
    assert not (await topics.create(kafka.settings())).faults
    await send(kafka, range(EVENTS, 3 * EVENTS))
    return await ended(worker(kafka, folder), 90)


def test_a_worker_does_not_start_on_a_topic_that_was_made_again_though_as_many_records_came_again(
    kafka: Kafka, tmp_path: Path
) -> None:
    code, log = asyncio.run(asyncio.wait_for(refused(kafka, tmp_path), 150))
    topic = kafka.settings().topics.predictions
    assert code == 1
    assert f"{topic}: deleted and made again since {kafka.settings().topics.checkpoints} was written" in log


def test_a_worker_ends_though_all_of_it_came_while_it_slept(kafka: Kafka, tmp_path: Path) -> None:
    code, log = asyncio.run(
        asyncio.wait_for(interrupted(kafka, tmp_path, while_paused=True, new=2 * EVENTS), 150)
    )
    assert code == 1
    assert f"{kafka.settings().topics.predictions}: Kafka has deleted it and made it again" in log


def test_a_worker_ends_and_says_which_topic_was_made_again_though_nothing_came(
    kafka: Kafka, tmp_path: Path
) -> None:
    code, log = asyncio.run(asyncio.wait_for(interrupted(kafka, tmp_path, while_paused=True, new=0), 150))
    assert code == 1
    assert kafka.settings().topics.predictions in log
    assert "the topic was made again" in log


def test_a_worker_ends_and_says_which_topic_was_deleted_though_as_many_records_came_again(
    kafka: Kafka, tmp_path: Path
) -> None:
    code, log = asyncio.run(
        asyncio.wait_for(interrupted(kafka, tmp_path, while_paused=False, new=2 * EVENTS), 150)
    )
    topic = kafka.settings().topics.predictions
    assert code == 1
    assert f"{topic}: Kafka did not have it" in log or f"{topic}: the group was given the other inputs" in log
