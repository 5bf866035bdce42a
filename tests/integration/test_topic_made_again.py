"""A topic that is made again under its name under a running worker: its records would be taken for known ones."""

import asyncio
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from stream import topics
from stream.demo.processes import Child, free_port
from stream.wire import partition_for
from tests.conftest import Kafka
from tests.integration.one_model import MODEL, fold

EVENTS = 20


async def make_again(kafka: Kafka, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.brokers)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        while True:
            if topic not in await admin.list_topics():
                break
            await asyncio.sleep(0.1)
    finally:
        await admin.close()
    assert not (await topics.create(kafka.settings())).faults


async def ended(kafka: Kafka, folder: Path) -> tuple[int, str]:
    """Return the exit code of a worker whose predictions were made again, and its log."""
    assert not (await topics.create(kafka.settings())).faults
    own = {"port": free_port(), "data_dir": folder / "data"}
    child = Child("worker", kafka.environment(worker=own), folder, own["port"])
    try:
        await child.ready()
        await fold(kafka, child, range(EVENTS))
        await make_again(kafka, kafka.settings().topics.predictions)
        code = await asyncio.to_thread(child.process.wait, 90)
        return code, child.log.read_text()
    finally:
        child.stop()


def test_a_worker_ends_and_says_which_topic_was_made_again_though_nothing_came(
    kafka: Kafka, tmp_path: Path
) -> None:
    code, log = asyncio.run(asyncio.wait_for(ended(kafka, tmp_path), 150))
    topic = kafka.settings().topics.predictions
    place = f"{topic}-{partition_for(MODEL, 2)}"
    went_back = f"{place} goes on at offset 0, but was read up to {EVENTS}: the topic was made again"
    was_gone = f"{topic}: the group was given the other inputs without it"  # it happened to look in between
    assert code == 1
    assert went_back in log or was_gone in log
