"""Which right a process lacked, or what else it wants, by the fault that it ends of."""

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from structlog.testing import capture_logs

from stream.engine.checkpoint import CheckpointError, undamaged
from stream.engine.damaged import Damaged
from stream.engine.denied import denied, name_taken, refused, tell_denied
from stream.engine.member import NameTaken

TORN = Damaged(TopicPartition("outcomes", 3), 7, 10, "torn")


@pytest.mark.parametrize(
    ("fault", "right"),
    [
        (GroupAuthorizationFailedError("g"), "Read on the group g"),
        (TransactionalIdAuthorizationFailed("g-0"), "Write on the transactional id g-0"),
        (TopicAuthorizationFailedError("t"), "Read or Write on the topic t"),
        (TopicAuthorizationFailedError({"t", "s"}), "Read or Write on the topic s t"),
        (TransactionalIdAuthorizationFailed(), "Write on the transactional id"),
        (KafkaError("broken"), None),
        (None, None),
    ],
)
def test_a_right_that_was_lacking_is_named(fault, right):
    assert denied(fault) == right


@pytest.mark.parametrize(
    ("kind", "named"),
    [(InvalidTimestampError, "this machine's clock"), (MessageSizeTooLargeError, "max.message.bytes")],
)
def test_what_kafka_refuses_is_said_in_words_that_can_be_acted_upon(kind, named):
    fault = KafkaError("broken")
    fault.__cause__ = kind()
    assert named in refused(fault)
    assert denied(fault) is None


def test_of_other_faults_nothing_is_said():
    assert refused(KafkaError("broken")) is None


def test_a_right_that_was_lacking_is_named_when_another_fault_came_of_it():
    fault = KafkaError("broken")
    fault.__cause__ = GroupAuthorizationFailedError("g")
    assert denied(fault) == "Read on the group g"


def test_a_fault_that_is_its_own_cause_is_looked_at_once():
    fault, right = KafkaError("broken"), GroupAuthorizationFailedError("g")
    fault.__cause__, fault.__context__ = fault, right
    assert denied(fault) == "Read on the group g"
    right.__context__ = fault
    assert denied(right) == "Read on the group g"


def test_a_name_that_was_taken_is_told_also_when_only_the_words_of_a_join_are_left():
    assert name_taken(NameTaken("worker-0", "workers"))
    assert name_taken(KafkaError(repr(NameTaken())))
    assert not name_taken(KafkaError("broken"))


def test_of_damaged_records_of_an_input_is_told_how_they_are_given_up():
    fault = KafkaError("broken")
    fault.__cause__ = TORN
    with capture_logs() as told:
        tell_denied(fault)
    (one,) = told
    assert (
        one["meaning"] == "outcomes partition 3: offsets 7 to 9 can't be read, their bytes are damaged (torn)"
    )
    assert one["mend"].endswith(
        'with {"partitions": [{"topic": "outcomes", "partition": 3, "offset": 10}], "version": 1}'
    )


def test_of_a_checkpoint_nothing_is_to_be_given_up():
    with pytest.raises(CheckpointError) as fault, undamaged():
        raise TORN
    with capture_logs() as told:
        tell_denied(fault.value)
    (one,) = told
    assert "offsets 7 to 9 can't be read" in one["meaning"]
    assert "an empty topic in place of this one" in one["meaning"]
    assert "mend" not in one
