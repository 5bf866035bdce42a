"""A fold that lost its disk, or was killed, goes on like one that did not: the log tells all of the join."""

import pytest
from hypothesis import example, given, settings

import stream.fold
from tests.laws.lives import AHEAD_S, BEGAN_AT, HORIZON_S, Life, lives, logged, undisturbed


def life_of(*steps):
    """Return a life as ``lives`` draws it; a step is topic, id and time in horizons, or what else happens."""
    log, history = {"predictions": [], "outcomes": []}, []
    for step in steps:
        topic = step[0]
        if topic in log:
            _, name, horizons = step
            at = BEGAN_AT + horizons * HORIZON_S
            log[topic].append(logged(topic, name, at, -AHEAD_S, "x", len(log[topic])))
        history.append(topic)
    return log, history


REPEATED_LATE = life_of(
    ("predictions", "a", 0),
    ("predictions", "a", 2),  # the same prediction, at the last moment
    ("predictions", "other", 4),
    ("outcomes", "other", 4),
    ("loss",),
    ("outcomes", "a", 4),  # in time for the repeat, if that were one that counts
    ("predictions", "end", 9),
)
MET_BEFORE = life_of(
    ("predictions", "a", 0),
    ("outcomes", "a", 2),
    ("predictions", "other", 2.9),
    ("loss",),
    ("predictions", "end", 9),  # the outcome would be given up if it were waiting
)
WAITS_ON_DISK = life_of(
    ("outcomes", "a", 0),
    ("checkpoint",),
    ("predictions", "other", 0),
    ("kill",),  # the second rebuild must not take the outcome from the log as well
    ("predictions", "a", 0),
)


@pytest.fixture(autouse=True)
def _each_record_goes_to_disk(monkeypatch):
    monkeypatch.setattr(stream.fold, "REBUILT", 1)


@settings(max_examples=300)
@given(lives())
@example(REPEATED_LATE)
@example(MET_BEFORE)
@example(WAITS_ON_DISK)
def test_a_lost_disk_or_a_kill_changes_no_count_no_figure_and_no_output(life):
    log, history = life
    assert Life(log).run(history) == Life(log).run(undisturbed(history))
