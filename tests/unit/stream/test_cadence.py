"""A checkpoint is due after a pause that its cost asks for, or once enough records wait for it."""

import pytest

from stream.engine.cadence import DUTY, FEWEST, IDLE_S, LONGEST_S, MOST, MOST_BYTES, RECORDS_A_STATE, Cadence


def written(states=0, took_s=0.0, partitions=1, interval_s=2.0, now=100.0):
    cadence = Cadence()
    cadence.begun()
    cadence.written(now, took_s, states, partitions, interval_s)
    return cadence


def waits(cadence):
    """Return how many records it takes for a checkpoint to be due before its time."""
    records = 0
    while not cadence.is_due(100.0):
        cadence.folded(1_000, 0)
        records += 1_000
    return records


def test_the_first_one_is_due_at_once():
    assert Cadence().is_due(0.0)


@pytest.mark.parametrize(
    ("took_s", "partitions", "pause_s"),
    [(0.01, 1, 2.0), (0.5, 8, 8 * 0.5 / DUTY), (10.0, 8, LONGEST_S)],
)
def test_all_partitions_together_take_a_fifth_of_the_time_unless_that_is_too_seldom(
    took_s, partitions, pause_s
):
    cadence = written(took_s=took_s, partitions=partitions)
    assert cadence.due_at == pytest.approx(100.0 + pause_s)
    assert not cadence.is_due(99.9 + pause_s)
    assert cadence.is_due(100.1 + pause_s)


@pytest.mark.parametrize(
    ("states", "records"),
    [(25, FEWEST), (1_000, 1_000 * RECORDS_A_STATE), (2_500, MOST), (20_000, MOST)],
)
def test_records_that_wait_end_the_pause_and_more_of_them_where_there_are_many_states(states, records):
    assert waits(written(states)) == records


def test_an_urgent_one_of_few_states_says_nothing_of_how_many_there_are():
    cadence = written(states=1_000)
    cadence.begun()
    cadence.written(100.0, 0.1, 3, 8, 2.0)
    assert waits(cadence) == 1_000 * RECORDS_A_STATE


def test_what_a_checkpoint_includes_does_not_wait_for_the_next():
    cadence = written()
    cadence.folded(FEWEST, MOST_BYTES)
    cadence.begun()
    assert not cadence.is_due(100.0)


def test_one_is_written_of_nothing_new_long_before_the_broker_forgets_the_partition():
    cadence = written(now=100.0)
    assert not cadence.is_idle(200.0)
    assert not cadence.is_idle(200.0 + IDLE_S)
    assert cadence.is_idle(201.0 + IDLE_S)
    cadence.begun()
    assert not cadence.is_idle(202.0 + IDLE_S)


@pytest.mark.parametrize(("records", "waiting_bytes"), [(MOST, 0), (1, MOST_BYTES)])
def test_folding_stops_where_twice_as_much_waits_as_makes_one_due(records, waiting_bytes):
    cadence = written()
    cadence.folded(records, waiting_bytes)
    assert cadence.is_due(100.0)
    assert not cadence.is_full()
    cadence.folded(records, 2 * waiting_bytes)
    assert cadence.is_full()
    cadence.begun()
    assert not cadence.is_full()
