"""The records of a range, as far as a broker sends them."""

import asyncio
from collections import namedtuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from stream.replay.kafka import Merged

Record = namedtuple("Record", "offset timestamp")
PLACE = TopicPartition("predictions", 0)


class Broker:
    """Sends what it has left, at most a record a fetch."""

    def __init__(self, sent):
        self.sent = sent
        self.at = 0

    async def getmany(self, *places, timeout_ms, max_records):
        if not self.sent:
            return {}
        record = self.sent.pop(0)
        self.at = record.offset + 1
        return {PLACE: [record]}

    async def position(self, place):
        return self.at


def read(merged, records):
    found = []
    for _ in range(records):
        while (record := merged.pop()) is None:
            asyncio.run(merged.fill())
        found.append(record.offset)
    return found


def test_a_broker_that_sends_nothing_for_long_is_given_up():
    merged = Merged(Broker([Record(0, 1)]), {PLACE: 0}, {PLACE: 3}, silent_s=0.0)
    assert read(merged, 1) == [0]
    with pytest.raises(KafkaTimeoutError, match="nothing came for 0 s, 2 records are missing"):
        read(merged, 1)


def test_a_slow_broker_is_waited_for_and_a_hole_at_the_end_is_none():
    merged = Merged(Broker([Record(0, 1), Record(2, 5)]), {PLACE: 0}, {PLACE: 3}, silent_s=0.0)
    assert read(merged, 2) == [0, 2]
    assert merged.is_over()
