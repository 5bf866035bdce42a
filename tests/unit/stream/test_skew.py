"""A clock that is not Kafka's is told, and the broker's time taken in its place."""

import math
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from stream.engine.checkpoint import _skew_s
from stream.engine.skew import RIGHT_AFTER_S, WRONG_S, Skew, apart_s


@pytest.mark.parametrize(
    ("stamped_at", "apart"),
    [(100.0, 0.0), (100.4, 0.0), (101.0, 0.0), (40.0, 60.0), (161.0, -60.0)],
    ids=["when sent", "in between", "when known", "ahead", "behind"],
)
def test_only_what_is_certain_of_a_clock_counts(stamped_at, apart):
    assert apart_s(100.0, stamped_at, 101.0) == apart


def test_of_a_topic_that_bears_the_writers_clock_nothing_is_known():
    mine = SimpleNamespace(timestamp_type=0, timestamp=1_000)
    assert math.isnan(_skew_s(100.0, mine))
    brokers = SimpleNamespace(timestamp_type=1, timestamp=40_000)
    assert _skew_s(100.0, brokers) == 60.0


def learned(*seconds, every_s=2 * RIGHT_AFTER_S):
    """Return what knows the time after checkpoints that told these, so far apart; and what was logged."""
    at = [0.0]
    skew = Skew(clock=lambda: 1_000.0, steady=lambda: at[0])
    with capture_logs() as logs:
        for one in seconds:
            at[0] += every_s
            skew.learn(one)
    return skew, [line["event"] for line in logs]


def test_a_wrong_clock_is_said_once_and_so_is_that_it_is_right_again():
    _, said = learned(3_600.0, 3_601.0, 0.0, 0.0, -3_600.0)
    assert said == ["clock wrong", "clock right again", "clock wrong"]


def test_one_broker_of_several_whose_clock_is_wrong_is_said_once_and_stays_shown():
    skew, said = learned(*[3_600.0, 0.0] * 5, every_s=1.0)
    assert said == ["clock wrong"]
    assert (skew.shown, skew.seconds, skew.now()) == (3_600.0, 0.0, 1_000.0)


@pytest.mark.parametrize("by_s", [3_600.0, -3_600.0])
def test_once_the_clock_was_set_it_is_not_known_which_time_it_is_until_the_next_checkpoint(by_s):
    wall, steady = [1_000.0], [50.0]
    skew = Skew(clock=lambda: wall[0], steady=lambda: steady[0])
    skew.learn(3_600.0)
    wall[0], steady[0] = wall[0] + 7_200.0, steady[0] + 7_200.0
    assert skew.known() == 8_200.0 - 3_600.0, "time has passed, no more"
    wall[0] += by_s
    assert skew.known() is None
    skew.learn(0.0)
    assert skew.known() == wall[0]


@pytest.mark.parametrize(
    ("seconds", "now"),
    [(60.0, 940.0), (-60.0, 1_060.0), (WRONG_S, 1_000.0), (0.0, 1_000.0), (math.nan, 1_000.0)],
    ids=["ahead", "behind", "not far enough", "right", "not known"],
)
def test_where_the_clock_is_wrong_the_time_is_the_brokers(seconds, now):
    skew, _ = learned(seconds)
    assert skew.now() == skew.known() == now


def test_before_anything_was_written_it_is_not_known_which_time_it_is():
    assert Skew().known() is None
