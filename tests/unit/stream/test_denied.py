"""Which right a process lacked, by the fault that it ends of."""

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from stream.engine.denied import denied


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
