"""What a restore refuses, and what it says is lost."""

import asyncio

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stream.engine.checkpoint import CheckpointError
from stream.engine.losses import Losses
from stream.engine.restore import InputGone, Restore, refuse_fewer, refuse_shorter
from stream.engine.telemetry import EngineTelemetry


class Log:
    """A consumer of topics that have kept the offsets from 5 to 9, and a checkpoint that has read to 3 of one."""

    async def read(self, consumer, fold):
        return {"behind": 3, "kept": 7}

    async def beginning_offsets(self, tps):
        return dict.fromkeys(tps, 5)

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, 9)


class New:
    """A fold with nothing on its disk."""

    def local(self):
        return {}

    def rebuild_since(self):
        return None


def test_records_that_were_deleted_before_they_were_folded_are_told_by_topic_and_left_to_be_counted():
    registry, losses = CollectorRegistry(), Losses()
    restore = Restore(Log(), ["behind", "kept", "new"], EngineTelemetry(registry))
    with capture_logs() as told:
        offsets = asyncio.run(restore.into(1, New(), Log(), losses))
    assert offsets == {"behind": 5, "kept": 7, "new": 5}
    assert [(one["topic"], one["partition"], one["records"]) for one in told] == [("behind", 1, 2)]
    assert losses.passed == {"behind": 2}
    assert [
        registry.get_sample_value("tidewatch_records_lost_total", {"topic": topic})
        for topic in ("behind", "kept", "new")
    ] == [0, 0, 0]


def test_a_topic_that_ends_before_what_was_read_is_refused_by_name():
    ends = {TopicPartition("a", 1): 7, TopicPartition("b", 1): 3, TopicPartition("c", 1): 0}
    refuse_shorter({"a": 7, "b": 3}, ends)
    refuse_shorter({}, ends)
    with pytest.raises(CheckpointError, match="b-1 ends at offset 3, but its checkpoint has read up to 4"):
        refuse_shorter({"a": 7, "b": 4}, ends)


def test_partitions_that_come_without_one_of_their_inputs_are_refused_by_name():
    assigned = {TopicPartition(topic, number) for topic in "ab" for number in (0, 3)}
    refuse_fewer("ab", [0, 3], assigned)
    refuse_fewer("abc", [], set())
    with pytest.raises(InputGone, match="b, c: the group was given the other inputs without it"):
        refuse_fewer("abc", [0, 3], assigned - {TopicPartition("b", 3)})
