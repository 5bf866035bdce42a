"""Records whose bytes are damaged on the broker's disk end a worker that says where, and what gives them up."""

from __future__ import annotations

import asyncio
import json
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from stream import topics
from stream.cluster import administrator
from stream.kafka.errors import EmbeddedKafkaError
from tests.chaos.nodes import Cluster, Node
from tests.conftest import Kafka
from tests.integration.one_model import been, ended, place, reach, send, worker
from tests.require import missing

FOLDED, DAMAGED, SENT = 10, 20, 30
LAST_S = 2.5
"""How long the last checkpoint takes: by then Faust has ended the thread that commits for the group."""
SEGMENT = "00000000000000000000.log"
PAYLOAD_AT = 70
"""Where in a batch its records are."""


@dataclass(frozen=True)
class Site:
    """Two Tidewatches: of one a prediction is damaged, at ``DAMAGED``, of the other the first checkpoint."""

    inputs: Kafka
    checkpoints: Kafka
    folder: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    try:
        with Cluster() as cluster:
            made = (Kafka(cluster.brokers, prefix, 2.0) for prefix in ("damaged.", "torn."))
            own = Site(*made, tmp_path_factory.mktemp("damaged"))
            asyncio.run(filled(own))
            (node,) = cluster.nodes
            node.end(signal.SIGTERM)
            spoil(node, place(own.inputs), DAMAGED)
            spoil(node, checkpoint(own.checkpoints), 0)
            node.start()
            node.await_answer()
            yield own
    except EmbeddedKafkaError as reason:
        missing("kafka", str(reason))


async def filled(site: Site) -> None:
    for kafka in (site.inputs, site.checkpoints):
        assert not (await topics.create(kafka.settings())).faults
    await been(site.inputs, site.folder, range(FOLDED))
    await send(site.inputs, range(FOLDED, SENT))
    topic, partition = checkpoint(site.checkpoints)
    async with AIOKafkaProducer(bootstrap_servers=site.checkpoints.brokers) as producer:
        await producer.send_and_wait(topic, b"state", key=b"m", partition=partition)


def checkpoint(kafka: Kafka) -> TopicPartition:
    return TopicPartition(kafka.settings().topics.checkpoints, place(kafka).partition)


def spoil(node: Node, tp: TopicPartition, offset: int) -> None:
    """Damage the batch that begins at an offset; the broker is away, after a proper stop."""
    segment = node.data / f"{tp.topic}-{tp.partition}" / SEGMENT
    log = bytearray(segment.read_bytes())
    at = 0
    while struct.unpack_from(">q", log, at)[0] != offset:
        at += 12 + struct.unpack_from(">i", log, at + 8)[0]
    log[at + PAYLOAD_AT] ^= 0xFF
    segment.write_bytes(log)


def told(log: str, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [one for one in lines if one["event"] == event]


async def give_up(kafka: Kafka, mend: str) -> None:
    """Delete what the log says, as kafka-delete-records.sh does with such a file."""
    asked = json.loads(mend[mend.index("{") :])["partitions"]
    async with administrator(kafka.settings()) as admin:
        for one in asked:
            assert (one["topic"], one["partition"]) == tuple(place(kafka))
            await admin.delete_records({place(kafka): RecordsToDelete(before_offset=one["offset"])})


async def given_up(kafka: Kafka, folder: Path) -> tuple[int, str, float, float, str]:
    """Return how a worker ended at damaged records, and what the next lost and folded when they were given up."""
    code, said = await ended(worker(kafka, folder, fault=f"delay:acknowledged:{LAST_S}"), 60)
    await give_up(kafka, told(said, "damaged records")[-1]["mend"])
    child = worker(kafka, folder)
    try:
        await child.ready()
        await reach(child, "tidewatch_events_total", SENT - DAMAGED - 1)
        await reach(child, "tidewatch_records_lost_total", 1)
        lost, folded = [await child.figure(f"tidewatch_{name}_total") for name in ("records_lost", "events")]
    finally:
        child.stop()
    return code, said, lost, folded, child.log.read_text()


def test_a_worker_ends_at_damaged_records_and_goes_on_behind_them_once_they_are_given_up(site: Site) -> None:
    code, said, lost, folded, after = asyncio.run(given_up(site.inputs, site.folder))
    assert code == 1, said
    topic, partition = place(site.inputs)
    where = f"{topic} partition {partition}: offsets {DAMAGED} to {DAMAGED} can't be read"
    assert where in said.splitlines()[-1], said
    assert "kafka-delete-records.sh" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert "Event loop is closed" not in said
    assert (lost, folded) == (1, SENT - DAMAGED - 1), "what came before the damage was folded by the first"
    assert [one["records"] for one in told(after, "records lost")] == [1]


def test_damaged_records_of_a_checkpoint_are_not_to_be_given_up(site: Site, tmp_path: Path) -> None:
    code, said = asyncio.run(ended(worker(site.checkpoints, tmp_path), 60))
    assert code == 1, said
    topic, partition = checkpoint(site.checkpoints)
    where = f"{topic} partition {partition}: offsets 0 to 0 can't be read"
    assert where in said.splitlines()[-1]
    assert "an empty topic in place of this one" in said.splitlines()[-1]
    assert "kafka-delete-records" not in said
    done = site.checkpoints.tidewatch("figures")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {where}")
