from itertools import permutations

import pytest

from stream.events import Instant, Outcome, Prediction
from stream.join import Join, Reason


def a_prediction(at=0.0, **over):
    fields = {"prediction_id": "p1", "model": "m", "version": "v1", "prediction": "yes"} | over
    return Prediction(at=Instant(at), **fields)


def an_outcome(at=1.0, outcome="yes", **over):
    return Outcome(at=Instant(at), outcome=outcome, **({"prediction_id": "p1", "model": "m"} | over))


def step(join, event):
    return join.predict(event) if isinstance(event, Prediction) else join.know(event)


@pytest.fixture
def join():
    return Join(horizon_s=100, budget=1000)


@pytest.mark.parametrize("order", [*permutations(range(2))])
def test_prediction_and_outcome_match_in_any_order(join, order):
    events = a_prediction(), an_outcome()
    assert [step(join, events[i]).reason for i in order] == [Reason.WAITING, Reason.MATCHED]


def test_late_outcome_is_counted_not_joined(join):
    join.predict(a_prediction())
    assert join.know(an_outcome(at=101)).reason is Reason.LATE


def test_outcome_after_expiry_is_late(join):
    join.predict(a_prediction())
    join.know(an_outcome(at=150, prediction_id="other"))
    assert [one.reason for one in join.expire()] == [Reason.UNMATCHED_PREDICTION]
    assert join.know(an_outcome(at=50)).reason is Reason.LATE


def test_same_prediction_twice_counts_once(join):
    join.predict(a_prediction())
    assert join.predict(a_prediction()).reason is Reason.DUPLICATE_PREDICTION


def test_same_outcome_twice_counts_once(join):
    join.predict(a_prediction())
    join.know(an_outcome())
    assert join.know(an_outcome()).reason is Reason.DUPLICATE_OUTCOME


def test_later_outcome_corrects_and_earlier_one_does_not(join):
    join.predict(a_prediction())
    join.know(an_outcome(at=5))
    corrected = join.know(an_outcome(at=6, outcome="no"))
    assert (corrected.reason, corrected.previous) == (Reason.CORRECTED, "yes")
    assert join.know(an_outcome(at=4, outcome="maybe")).reason is Reason.DUPLICATE_OUTCOME


def test_prediction_waits_on_the_outcomes_clock_not_on_its_own(join):
    join.predict(a_prediction())
    join.predict(a_prediction(at=1_000, prediction_id="p2"))
    assert [*join.expire()] == []


def test_outcome_without_prediction_becomes_unmatched(join):
    join.know(an_outcome())
    join.predict(a_prediction(at=500, prediction_id="p2"))
    assert [one.reason for one in join.expire()] == [Reason.UNMATCHED_OUTCOME]


def test_what_is_over_budget_is_evicted_oldest_first_and_counted():
    join = Join(horizon_s=100, budget=2)
    for number in range(4):
        join.predict(a_prediction(at=number, prediction_id=f"p{number}"))
    evicted = [*join.expire()]
    assert [one.reason for one in evicted] == [Reason.EVICTED] * 2
    assert [one.served.prediction_id for one in evicted] == ["p0", "p1"]
    assert (len(join), join.pending) == (2, 2)


def test_pending_returns_to_zero_once_all_is_known(join):
    join.predict(a_prediction())
    assert join.pending == 1
    join.know(an_outcome())
    assert join.pending == 0
