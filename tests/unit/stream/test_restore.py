"""What a restore refuses."""

import pytest
from aiokafka import TopicPartition

from stream.engine.checkpoint import CheckpointError
from stream.engine.restore import refuse_shorter


def test_a_topic_that_ends_before_what_was_read_is_refused_by_name():
    ends = {TopicPartition("a", 1): 7, TopicPartition("b", 1): 3, TopicPartition("c", 1): 0}
    refuse_shorter({"a": 7, "b": 3}, ends)
    refuse_shorter({}, ends)
    with pytest.raises(CheckpointError, match="b-1 ends at offset 3, but its checkpoint has read up to 4"):
        refuse_shorter({"a": 7, "b": 4}, ends)
