import asyncio
import time
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import InvalidTimestampError

from stream import cluster, shapes
from stream.shapes import AHEAD, BROKERS, CLOCK
from stream.topics import ClusterError, check, create
from tests.conftest import Kafka


async def make(kafka: Kafka, name: str, partitions: int, configuration: dict[str, str]) -> None:
    async with cluster.administrator(kafka.settings()) as admin:
        await admin.create_topics([NewTopic(name, partitions, 1, None, configuration)])


async def send(brokers: str, topic: str, timestamp_ms: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        await producer.send_and_wait(topic, b"{}", timestamp_ms=timestamp_ms)


async def read(brokers: str, topic: str):
    async with AIOKafkaConsumer(topic, bootstrap_servers=brokers, auto_offset_reset="earliest") as consumer:
        return [await consumer.getone()]


def test_create_makes_all_topics_and_then_check_finds_nothing(kafka):
    settings = kafka.settings()
    report = asyncio.run(create(settings))
    assert len(report.created) == 7
    assert report.right == ()
    assert report.faults == ()
    assert asyncio.run(check(settings)) == []


def test_creating_twice_changes_nothing_and_says_so(kafka):
    settings = kafka.settings()
    first = asyncio.run(create(settings))
    second = asyncio.run(create(settings))
    assert second.created == ()
    assert second.right == first.created


def test_a_check_creates_nothing(kafka):
    settings = kafka.settings()
    for _ in range(2):
        assert [fault.what for fault in asyncio.run(check(settings))] == ["does not exist"] * 7


def test_a_wrong_topic_is_named_with_its_mend_and_left_alone(kafka):
    settings = kafka.settings(topics={"partitions": 2})
    name = settings.topics.checkpoints
    deleted = {"cleanup.policy": "delete", "max.message.bytes": str(8 << 20), CLOCK: BROKERS}
    asyncio.run(make(kafka, name, 2, deleted))
    report = asyncio.run(create(settings))
    assert name not in report.created
    assert len(report.created) == 6
    (fault,) = report.faults
    assert fault.topic == name
    assert "cleanup.policy delete: want compact" in fault.what
    assert f"--entity-name {name} --add-config cleanup.policy=compact" in fault.mend
    assert asyncio.run(check(settings)) == [fault]


def test_inputs_with_fewer_partitions_are_named(kafka):
    settings = kafka.settings(topics={"partitions": 2})
    asyncio.run(make(kafka, settings.topics.outcomes, 1, {"retention.ms": "-1"}))
    (fault,) = asyncio.run(create(settings)).faults
    assert fault.topic == settings.topics.outcomes
    assert fault.what.startswith("1 partitions: want 2")


def test_a_topic_kept_shorter_than_a_lost_disk_needs_is_an_error(kafka):
    settings = kafka.settings()
    asyncio.run(make(kafka, settings.topics.predictions, 2, {"retention.ms": "60000"}))
    (fault,) = asyncio.run(create(settings)).faults
    assert fault.severity == "error"
    assert fault.what.startswith("retention.ms 60000: want at least 1040400000")


def test_a_record_a_year_ahead_is_refused_by_the_broker(kafka):
    settings = kafka.settings(worker={"future_tolerance_s": 60})
    asyncio.run(create(settings))
    now_ms = round(time.time() * 1000)
    asyncio.run(send(kafka.brokers, settings.topics.outcomes, now_ms))
    for ahead_s in (600, 365 * 86_400):
        with pytest.raises(InvalidTimestampError):
            asyncio.run(send(kafka.brokers, settings.topics.outcomes, now_ms + ahead_s * 1000))


def test_findings_bear_the_brokers_clock_whatever_a_worker_says(kafka):
    settings = kafka.settings()
    asyncio.run(create(settings))
    before = time.time()
    asyncio.run(send(kafka.brokers, settings.topics.findings, round((before + 3_600) * 1000)))
    (record,) = asyncio.run(read(kafka.brokers, settings.topics.findings))
    assert abs(record.timestamp / 1000 - before) < 600


def test_a_topic_made_without_that_bound_is_warned_of_and_its_mend_is_a_command(kafka):
    settings = kafka.settings()
    asyncio.run(make(kafka, settings.topics.outcomes, 2, {"retention.ms": "-1", AHEAD: "7200000"}))
    (fault,) = asyncio.run(create(settings)).faults
    assert (fault.topic, fault.severity) == (settings.topics.outcomes, "warning")
    assert fault.mend.endswith(f"--entity-name {settings.topics.outcomes} --add-config {AHEAD}=3600000")


def test_a_kafka_that_does_not_know_the_bound_is_named(kafka, monkeypatch):
    monkeypatch.setattr(shapes, "AHEAD", "message.timestamp.unheard.of")
    with pytest.raises(ClusterError, match="not created") as refused:
        asyncio.run(create(kafka.settings()))
    assert "message.timestamp.unheard.of" in str(refused.value)
    assert "Kafka before 3.6 does not know message.timestamp.after.max.ms" in str(refused.value)


def test_only_the_topics_that_are_asked_for_are_checked(kafka):
    settings = kafka.settings()
    found = asyncio.run(check(settings, shapes.Needs([settings.topics.findings])))
    assert [fault.topic for fault in found] == [settings.topics.findings]


def test_too_many_copies_are_refused_with_the_brokers_words(kafka):
    settings = kafka.settings(topics={"replication": 15})
    with pytest.raises(ClusterError, match="not created") as refused:
        asyncio.run(create(settings))
    assert "topics.replication 15: want at most the number of brokers, 1" in str(refused.value)
    assert "set TIDEWATCH_TOPICS_REPLICATION=1" in str(refused.value)


def test_a_cluster_that_does_not_answer_is_named(kafka):
    nobody = replace(kafka, brokers="127.0.0.1:1")
    with pytest.raises(ClusterError, match=r"kafka\.brokers '127\.0\.0\.1:1'"):
        asyncio.run(check(nobody.settings()))


def test_the_command_exits_with_0_1_or_2(kafka):
    missing = kafka.tidewatch("topics", "check")
    assert (missing.returncode, missing.stdout.count("run: tidewatch topics create")) == (1, 7)
    made = kafka.tidewatch("topics", "create")
    assert (made.returncode, made.stdout.count("created  ")) == (0, 7)
    again = kafka.tidewatch("topics", "create")
    assert (again.returncode, again.stdout.count("already right")) == (0, 7)
    right = kafka.tidewatch("topics", "check")
    assert (right.returncode, right.stdout) == (0, "all 7 topics are right\n")
    assert kafka.tidewatch("topics", "mend").returncode == 2


def test_the_command_says_in_one_line_that_no_broker_answers(kafka):
    failed = replace(kafka, brokers="127.0.0.1:1").tidewatch("topics", "check")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: kafka.brokers '127.0.0.1:1'")
    assert "Traceback" not in failed.stderr


def test_a_setting_that_keeps_inputs_too_short_creates_nothing(kafka):
    settings = kafka.settings(topics={"retention_s": 60})
    report = asyncio.run(create(settings))
    assert report.created == ()
    assert "4 x worker.label_horizon_s" in report.faults[0].what
    assert asyncio.run(_names(kafka)) == []


async def _names(kafka) -> list[str]:
    async with cluster.administrator(kafka.settings()) as admin:
        return [name for name in await admin.list_topics() if name.startswith(kafka.prefix)]
