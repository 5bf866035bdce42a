"""``tidewatch figures`` and the reader below it, on topics that hold nothing."""

import asyncio
import json

from aiokafka import TopicPartition

from stream.engine.connection import client_options
from stream.engine.reading import read_range, reader
from stream.topics import create

PARTITIONS = 8


def test_the_figures_of_a_new_cluster_are_printed_and_nothing_is_left(kafka, tmp_path, monkeypatch):
    settings = kafka.settings(topics={"partitions": PARTITIONS})
    asyncio.run(create(settings))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "always::ResourceWarning")
    done = kafka.tidewatch("figures", topics={"partitions": PARTITIONS})
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows == [
        {"kind": "partition", "partition": number, "offsets": {}, "models": 0} for number in range(PARTITIONS)
    ]
    assert "AIOKafka" not in done.stderr  # aiokafka's word for a client that nobody closed
    assert list(tmp_path.iterdir()) == []


def test_a_reader_stops_right_after_its_assignment_changed(kafka):
    settings = kafka.settings(topics={"partitions": PARTITIONS})

    async def change_and_stop() -> None:
        async with reader(client_options(settings.kafka)) as consumer:
            for number in range(PARTITIONS):
                tp = TopicPartition(settings.topics.checkpoints, number)
                consumer.assign([tp])
                consumer.seek(tp, 0)
                await consumer.position(tp)

    async def often() -> None:
        await create(settings)
        for _ in range(5):
            await asyncio.wait_for(change_and_stop(), 20)

    asyncio.run(often())


def test_a_range_that_holds_nothing_is_read_without_a_request(kafka):
    settings = kafka.settings()

    async def assigned_after() -> object:
        tp = TopicPartition(settings.topics.checkpoints, 0)
        async with reader(client_options(settings.kafka)) as consumer:
            assert [batch async for batch in read_range(consumer, tp, 3, 3)] == []
            return consumer.assignment()

    assert asyncio.run(assigned_after()) == set()


def test_without_its_topic_figures_says_what_makes_it(kafka):
    done = kafka.tidewatch("figures")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"topic {kafka.prefix}checkpoints: does not exist" in done.stderr
    assert "run: tidewatch topics create" in done.stderr
