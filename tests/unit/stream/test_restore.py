"""What a restore refuses, and what it says is lost."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndTimestamp
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stream.engine.checkpoint import CheckpointError
from stream.engine.losses import Losses
from stream.engine.restore import InputGone, Restore, refuse_fewer, refuse_shorter
from stream.engine.telemetry import EngineTelemetry
from stream.engine.unseen import Unseen


class Whole:
    """A checkpoint of which nothing hangs."""

    place = TopicPartition("checkpoints", 1)
    unseen = Unseen()

    async def partitions(self, topics):
        return []


class Log(Whole):
    """A consumer of topics that have kept the offsets from 5 to 9, and a checkpoint that has read to 3 of one."""

    async def read(self, consumer, fold):
        return {"behind": 3, "kept": 7}

    async def beginning_offsets(self, tps):
        return dict.fromkeys(tps, 5)

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, 9)


class Told(Whole):
    """A consumer of topics of 1,000 records, the times of which are their offsets, and what was read of them."""

    def __init__(self, offsets):
        self.offsets, self.read_from, self.at = offsets, {}, {}

    async def read(self, consumer, fold):
        return self.offsets

    async def beginning_offsets(self, tps):
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps):
        return dict.fromkeys(tps, 1_000)

    async def offsets_for_times(self, times):
        return {
            tp: OffsetAndTimestamp(ms // 1_000, ms) if ms < 1_000_000 else None for tp, ms in times.items()
        }

    def assign(self, tps):
        (self.at,) = ({tp.topic: 0} for tp in tps)

    def seek(self, tp, offset):
        self.read_from[tp.topic] = self.at[tp.topic] = offset

    async def position(self, tp):
        return self.at[tp.topic]

    async def getmany(self, tp, timeout_ms, max_records):
        self.at[tp.topic] += 100
        return {}


class Kept:
    """A fold with a disk that stands at these offsets; the log tells all of it from a time on."""

    def __init__(self, local, since):
        self.stands, self.since = local, since

    def local(self):
        return self.stands

    def forget_local(self):
        self.stands = {}

    def rebuild(self, records):
        pass

    def rebuild_since(self):
        return self.since


class New:
    """A fold with nothing on its disk."""

    def local(self):
        return {}

    def rebuild(self, records):
        pass

    def rebuild_since(self):
        return None


def restore(log, registry, *inputs):
    """Return what restores from this log, in which no transaction is open."""
    return Restore(log, log, SimpleNamespace(inputs=inputs, outputs=()), EngineTelemetry(registry))


def test_records_that_were_deleted_before_they_were_folded_are_told_by_topic_and_left_to_be_counted():
    registry, losses = CollectorRegistry(), Losses()
    found = restore(Log(), registry, "behind", "kept", "new")
    with capture_logs() as told:
        offsets = asyncio.run(found.into(1, New(), Log(), losses))
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
    with pytest.raises(InputGone, match=r"b: .* \(partitions 3\): .* it has fewer partitions than they"):
        refuse_fewer("ab", [0, 3], assigned - {TopicPartition("b", 3)})


@pytest.mark.parametrize(
    ("local", "since", "read_from"),
    [
        ({"a": 850, "b": 880}, 700, {"a": 850, "b": 880}),  # as most often
        ({"a": 100, "b": 20}, 700, {"a": 700, "b": 700}),  # of a worker that had the partition long ago
        ({"a": 850}, 700, {"a": 850, "b": 700}),  # of one that was killed while it read a log
        ({"a": 850, "b": 880}, None, {"a": 850, "b": 880}),
        ({"a": 850, "b": 901}, 700, {"a": 700, "b": 700}),  # ahead, so of another log
        ({}, 700, {"a": 700, "b": 700}),
        ({"a": 100, "b": 100}, 2_000, {}),  # nothing is young enough
    ],
)
def test_of_the_inputs_no_more_is_read_again_than_the_disk_lacks_and_than_still_matters(
    local, since, read_from
):
    log = Told({"a": 900, "b": 900})
    found = restore(log, CollectorRegistry(), "a", "b")
    assert asyncio.run(found.into(1, Kept(local, since), log, Losses())) == {"a": 900, "b": 900}
    assert log.read_from == read_from


def test_what_follows_from_what_is_read_again_is_done_before_more_is_read_also_if_nothing_is():
    class Behind(Kept):
        told, left = [], 0

        def rebuild(self, records):
            self.told.append(len(records))
            self.left = 2 if records or len(self.told) == 1 else max(self.left - 1, 0)
            return self.left > 0

    class Full(Told):
        async def getmany(self, tp, timeout_ms, max_records):
            self.at[tp.topic] += 1
            return {tp: [SimpleNamespace(offset=self.at[tp.topic] - 1)]}

    def told(local):
        fold, log = Behind({"a": local}, None), Full({"a": 900})
        fold.told = []
        asyncio.run(restore(log, CollectorRegistry(), "a").into(1, fold, log, Losses()))
        return fold.told

    assert told(898) == [1, 0, 0, 1, 0, 0, 0]
    assert told(900) == [0, 0, 0]
