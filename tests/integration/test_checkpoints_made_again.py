"""Checkpoints that are deleted and made again under a worker or pager: what it knows is not lost."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from stream import topics
from stream.events import Instant, Prediction
from stream.wire import encode, partition_for
from tests.conftest import Kafka
from tests.integration.one_model import MODEL, fold, prediction, reach, worker
from tests.integration.test_pager_on_kafka import Site, until
from tests.integration.test_topic_made_again import delete
from tests.unit.alerts.samples import finding, hook_server

EVENTS = 20


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with hook_server() as hook, hook_server() as pagerduty:
        yield Site(kafka, tmp_path, hook, pagerduty)


OTHER = next(name for name in "abcdefgh" if partition_for(name, 2) == partition_for(MODEL, 2))


async def send_other(kafka: Kafka) -> None:
    """Have the partition's offsets go on, by an event of a model beside the one that is idle."""
    event = prediction(0)
    other = Prediction(prediction_id="0", model=OTHER, version="v", at=Instant(event.at), prediction="y")
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers) as producer:
        await producer.send_and_wait(kafka.settings().topics.predictions, encode(other), key=OTHER.encode())


def known(kafka: Kafka) -> dict[str, int]:
    """Return how many predictions of each model are in the checkpoints."""
    told = kafka.tidewatch("figures")
    assert told.returncode == 0, told.stderr
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    return {row["model"]: row["predictions"] for row in rows if row["kind"] == "series"}


async def made_again(kafka: Kafka, folder: Path) -> str:
    """Delete and make a worker's checkpoints while one model is idle; return the worker's log."""
    assert not (await topics.create(kafka.settings())).faults
    child = worker(kafka, folder)
    try:
        await child.ready()
        await fold(kafka, child, range(EVENTS))
        await reach(child, "tidewatch_checkpoint_bytes_total", 1)
        await delete(kafka, kafka.settings().topics.checkpoints)
        assert not (await topics.create(kafka.settings())).faults
        while "checkpoints made again" not in child.log.read_text():
            child.check()
            await asyncio.sleep(0.2)
        await send_other(kafka)
        await reach(child, "tidewatch_events_total", EVENTS + 1)
    finally:
        child.stop()
    return child.log.read_text()


def test_what_a_worker_knows_of_idle_models_is_written_anew(kafka: Kafka, tmp_path: Path) -> None:
    asyncio.run(asyncio.wait_for(made_again(kafka, tmp_path), 120))
    assert known(kafka) == {MODEL: EVENTS, OTHER: 1}


def test_what_a_pager_knows_is_written_anew_and_nobody_is_told_again(site: Site) -> None:
    incidents = site.kafka.settings().topics.incidents
    with site.pager():
        site.send(finding("a"))
        until(lambda: len(site.hook.got) == 1, site)
        asyncio.run(delete(site.kafka, incidents))
        assert not asyncio.run(topics.create(site.kafka.settings())).faults
        until(lambda: any(line["event"] == "checkpoints made again" for line in site.log()), site)
        time.sleep(2.0)  # the checkpoint is soon
    with site.pager():
        site.send(finding("a", "closed"))
        until(lambda: len(site.hook.got) > 1, site)
    kinds = [json.loads(got.body)["type"] for got in site.hook.got]
    assert kinds == ["incident.opened", "incident.resolved"]
