"""A range of Kafka is judged as a file of the same events is, and nothing in Kafka changes by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from stream import topics
from stream.cli import main
from stream.replay.kafka import Range, Reader
from stream.wire import partition_for
from tests.conftest import Kafka
from tests.unit.replay.test_replay import write

BEGAN_MS = 1_700_000_000_000
KEPT = {"retention_s": 50 * 365 * 86_400}
"""The events are of 2023: a broker would delete them as soon as it looks, half a minute after its start."""


def told(kafka: Kafka, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(
        main, ["replay", *words], env=kafka.environment(topics=KEPT) | {"TIDEWATCH_CONFIG": ""}
    )
    assert result.exit_code == code, result.output
    return result.output


async def fill(kafka: Kafka, events: Iterable[dict[str, Any]]) -> None:
    """Write events with the times at which they happened; one of them aborted, one misplaced and forwarded."""
    settings = kafka.settings(topics=KEPT)
    assert not (await topics.create(settings)).faults
    names, partitions = settings.topics, settings.topics.partitions
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.brokers, transactional_id=f"{kafka.prefix}fill", linger_ms=5
    ) as producer:

        async def send(event: dict[str, Any], away: int = 0) -> None:
            topic = names.predictions if event["type"] == "prediction" else names.outcomes
            home = (partition_for(event["model"], partitions) + away) % partitions
            value, key = json.dumps(event).encode(), event["model"].encode()
            at = int(event["at"] * 1_000)
            await producer.send(topic, value, key=key, partition=home, timestamp_ms=at)

        async with producer.transaction():
            for number, event in enumerate(events):
                if number == 10:
                    await send(event, away=1)
                await send(event)
        await producer.begin_transaction()
        await send(event | {"prediction_id": "aborted"})
        await producer.flush()
        await producer.abort_transaction()


def test_range_of_kafka_gives_the_findings_of_the_file(kafka: Kafka, tmp_path: Path) -> None:
    path = write(tmp_path / "e.jsonl", 3_000, worse_from=2_000)
    asyncio.run(fill(kafka, map(json.loads, path.read_text().splitlines())))
    from_file = told(kafka, str(path), "--json").splitlines()
    first = told(kafka, "--kafka", "--json").splitlines()
    assert [json.loads(line)["state"] for line in first[:-1]] == ["open"]
    assert first[:-1] == from_file[:-1]
    assert json.loads(first[-1])["events"] == json.loads(from_file[-1])["events"]
    assert told(kafka, "--kafka", "--json").splitlines() == first


async def send_oddly(kafka: Kafka, events: Iterable[dict[str, Any]]) -> None:
    """Write events keyed by their id, whose partition that is, and forwarded as a worker does; one absurd time."""
    settings = kafka.settings(topics=KEPT)
    assert not (await topics.create(settings)).faults
    names, partitions = settings.topics, settings.topics.partitions
    async with AIOKafkaProducer(bootstrap_servers=kafka.brokers, linger_ms=5) as producer:

        async def send(event: dict[str, Any], key: str) -> None:
            topic = names.predictions if event["type"] == "prediction" else names.outcomes
            value, place = json.dumps(event).encode(), partition_for(key, partitions)
            at = int(event["at"] * 1_000)
            await producer.send(topic, value, key=key.encode(), partition=place, timestamp_ms=at)

        for number, event in enumerate(events):
            for key in dict.fromkeys(("m", event["prediction_id"])):
                if key == "m" or partition_for(key, partitions) != partition_for("m", partitions):
                    await send(event, key)
            if number == 10:
                ahead = {"prediction_id": "ahead", "at": event["at"] + 30 * 86_400}
                await producer.send(
                    names.outcomes,
                    json.dumps(event | ahead).encode(),
                    key=b"m",
                    partition=partition_for("m", partitions),
                    timestamp_ms=int(event["at"] * 1_000),
                )


def test_an_event_of_another_key_counts_once_and_an_absurd_time_is_refused_as_a_worker_does(
    kafka: Kafka, tmp_path: Path
) -> None:
    path = write(tmp_path / "e.jsonl", 300)
    asyncio.run(send_oddly(kafka, map(json.loads, path.read_text().splitlines())))
    (line,) = told(kafka, "--kafka", "--json").splitlines()
    summary = json.loads(line)
    assert summary["joined"] == {"matched": 300}
    assert summary["refused"] == {"absurd_time": 1}
    words = ("reference", "build", "--kafka", "--config", str(tmp_path / "c.toml"))
    (tmp_path / "c.toml").write_text("[monitor]\nreference = 'not-there-yet.json'\n")
    own = kafka.environment(topics=KEPT) | {"TIDEWATCH_CONFIG": ""}
    result = CliRunner().invoke(main, words, env=own)
    assert json.loads(result.stdout)["m"]["all"]["losses"] == 300
    assert "lines that are no events: 1" in result.stderr


def test_range_begins_and_ends_at_instants(kafka: Kafka, tmp_path: Path) -> None:
    path = write(tmp_path / "e.jsonl", 1_000)
    asyncio.run(fill(kafka, map(json.loads, path.read_text().splitlines())))
    within = Range(1_700_000_000 + 60 * 100, 1_700_000_000 + 60 * 300)
    found = [*Reader(kafka.settings(topics=KEPT), within).lines(lambda _: None)]
    assert len(found) == 2 * 200
    times = [line.timestamp for line in found]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (BEGAN_MS + 60_000 * 100, BEGAN_MS + 60_000 * 299 + 30_000)
    since, until = "2023-11-14T23:53:20+00:00", "2023-11-15T03:13:20+00:00"
    (line,) = told(kafka, "--kafka", "--json", "--since", since, "--until", until).splitlines()
    assert json.loads(line)["joined"] == {"matched": 200}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "want FILE... or --kafka"),
        (("--kafka", __file__), "want FILE... or --kafka"),
        ((__file__, "--since", "2026-01-01T00:00:00Z"), "go with --kafka"),
        (("--kafka", "--since", "yesterday"), "'yesterday': want an instant such as"),
    ],
)
def test_wrong_words_are_told(kafka: Kafka, words: tuple[str, ...], said: str) -> None:
    assert said in told(kafka, *words, code=2)


def test_missing_topics_are_told(kafka: Kafka) -> None:
    assert kafka.settings(topics=KEPT).topics.predictions in told(kafka, "--kafka", code=1)
