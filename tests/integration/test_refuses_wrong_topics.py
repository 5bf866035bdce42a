"""Worker and pager look at their topics before they start, and say exactly what is wrong with them."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace

import pytest
from aiokafka.admin import NewTopic

from stream import topics
from stream.cluster import administrator
from tests.conftest import Kafka

NEEDS = {
    "worker": ("predictions", "outcomes", "rollouts", "checkpoints", "findings", "dead-letters"),
    "pager": ("findings", "incidents", "dead-letters"),
}
BOTH = pytest.mark.parametrize("program", NEEDS)


def start(kafka: Kafka, program: str) -> subprocess.CompletedProcess[str]:
    return kafka.tidewatch(program, kafka={"startup_timeout_s": 0.0})


def make(kafka: Kafka, name: str, partitions: int, configuration: dict[str, str] | None = None) -> None:
    async def create() -> None:
        wanted = NewTopic(f"{kafka.prefix}{name}", partitions, 1, None, configuration or {})
        async with administrator(kafka.settings()) as admin:
            await admin.create_topics([wanted])

    asyncio.run(create())


@BOTH
def test_missing_topics_are_all_named_with_what_makes_them(kafka: Kafka, program: str) -> None:
    ended = start(kafka, program)
    assert ended.returncode == 1
    told = [line for line in ended.stderr.splitlines() if line.startswith(f"tidewatch {program}: ")]
    assert sorted(told) == sorted(
        f"tidewatch {program}: error: topic {kafka.prefix}{name}: does not exist" for name in NEEDS[program]
    )
    assert ended.stderr.count("mend: run: tidewatch topics create") == len(told)
    assert "Traceback" not in ended.stderr


def test_worker_refuses_an_input_with_another_count_and_a_state_topic_that_forgets(kafka: Kafka) -> None:
    make(kafka, "outcomes", 1, {"retention.ms": "-1"})
    make(kafka, "checkpoints", 2, {"cleanup.policy": "delete", "max.message.bytes": str(8 << 20)})
    asyncio.run(topics.create(kafka.settings()))
    ended = start(kafka, "worker")
    assert ended.returncode == 1
    assert f"topic {kafka.prefix}outcomes: 1 partitions: want 2" in ended.stderr
    assert f"topic {kafka.prefix}checkpoints: cleanup.policy delete: want compact" in ended.stderr
    assert ended.stderr.count("error:") == 2


def test_pager_refuses_several_orders_of_findings_and_incidents_that_are_forgotten(kafka: Kafka) -> None:
    make(kafka, "findings", 3)
    make(kafka, "incidents", 1, {"cleanup.policy": "delete", "max.message.bytes": str(8 << 20)})
    asyncio.run(topics.create(kafka.settings()))
    ended = start(kafka, "pager")
    assert ended.returncode == 1
    assert f"topic {kafka.prefix}findings: 3 partitions: want 1, for one order" in ended.stderr
    assert f"topic {kafka.prefix}incidents: cleanup.policy delete: want compact" in ended.stderr
    assert ended.stderr.count("error:") == 2


@BOTH
def test_nothing_is_created_by_a_refused_start(kafka: Kafka, program: str) -> None:
    start(kafka, program)
    assert {fault.what for fault in asyncio.run(topics.check(kafka.settings()))} == {"does not exist"}


@BOTH
def test_a_cluster_that_does_not_answer_is_told_in_one_line(kafka: Kafka, program: str) -> None:
    ended = start(replace(kafka, brokers="127.0.0.1:1"), program)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: kafka.brokers '127.0.0.1:1'")
    assert "Traceback" not in ended.stderr
