"""A fold that lost its disk, or was killed, goes on like one that did not: the log tells all of the join."""

import pytest
from hypothesis import HealthCheck, example, given, settings

import stream.due
import stream.fold
import stream.join
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
REPEATED_BEFORE = life_of(
    ("predictions", "a", 0),
    ("predictions", "a", 2),  # the same prediction, at the last moment
    (
        "outcomes",
        "a",
        3.95,
    ),  # too far from the first one, but late for the repeat, if that were one that counts
    ("predictions", "other", 4.93),
    ("outcomes", "other", 4.93),
    ("loss",),
    ("predictions", "end", 9),  # gives the outcome up
)
WAITS_ON_DISK = life_of(
    ("outcomes", "a", 0),
    ("checkpoint",),
    ("predictions", "other", 0),
    ("kill",),  # the second rebuild must not take the outcome from the log as well
    ("predictions", "a", 0),
)
SETTLED_TAKES_ROOM = life_of(
    ("outcomes", "a", 2),
    ("predictions", "a", 0),  # late: the first outcome's record is stale, and still due
    ("outcomes", "a", 2.5),
    ("outcomes", "b", 2.5),
    ("abort",),
    ("predictions", "end", 9),
    ("outcomes", "end", 9),
)


DUE_AT_ONCE = (
    *(("predictions", name, 0) for name in "abcdef"),
    ("outcomes", "other", 2),
)
GIVEN_UP_IN_PART = [
    life_of(*DUE_AT_ONCE, *steps, ("predictions", "end", 9))
    for steps in [
        (("loss",), ("loss",)),
        (("more",), ("abort",)),  # the disk has given up more, with the same offsets
        (("more",), ("kill",), ("more",), ("kill",)),  # the disk has all records, but not what was given up
        (("checkpoint",), ("predictions", "late", 0.5), ("outcomes", "other", 9), ("loss",)),
    ]
]


@pytest.fixture(autouse=True)
def _each_record_goes_to_disk(monkeypatch):
    monkeypatch.setattr(stream.fold, "REBUILT", 1)


@pytest.fixture(params=[1, 2, stream.due.PIECE])
def piece(request, monkeypatch):
    for module in (stream.due, stream.join):
        monkeypatch.setattr(module, "PIECE", request.param)


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("life", GIVEN_UP_IN_PART)
def test_what_is_due_at_once_is_counted_once_wherever_a_process_ends_in_it(life):
    log, history = life
    told, *_ = found = Life(log).run(history)
    assert found == Life(log).run(undisturbed(history))
    assert told["unmatched_prediction"] >= len("abcdef")


@pytest.mark.usefixtures("piece")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives())
@example(REPEATED_LATE)
@example(MET_BEFORE)
@example(REPEATED_BEFORE)
@example(WAITS_ON_DISK)
@example(SETTLED_TAKES_ROOM)
def test_a_lost_disk_or_a_kill_changes_no_count_no_figure_and_no_output(life):
    log, history = life
    assert Life(log).run(history) == Life(log).run(undisturbed(history))
