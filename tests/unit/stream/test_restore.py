"""What a restore refuses."""

import pytest
from aiokafka import TopicPartition

from stream.engine.checkpoint import CheckpointError
from stream.engine.restore import InputGone, refuse_fewer, refuse_shorter


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
