"""Windows of sums: what is in them depends on the times of the rows alone, not on their order nor on restarts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.figures.windows import HELD, LEVELS, RATIOS, ROLLOUT, WIDTH_S, Windows, restored

SECONDS = {"5m": 300, "1h": 3_600, "24h": 86_400, "7d": 604_800}
TIMES = st.lists(
    st.integers(-2_000_000, 2_000_000) | st.integers(-1_000, 1_000) | st.integers(0, 90_000), min_size=1
)


def filled(times, windows=None):
    windows = windows or Windows()
    if not windows.size:
        windows.allot(1)
    for at in times:
        windows.bucket(float(at))[0] += 1.0
    return windows


def counts(windows):
    return {name: windows.total(name).cells[0] for name in LEVELS}


@given(TIMES)
def test_a_window_holds_the_rows_of_its_times_and_no_others(times):
    windows = filled(times)
    for name in SECONDS:
        total = windows.total(name)
        assert total.cells[0] == sum(total.since_at <= at < total.until_at for at in times)
        assert max(times) < total.until_at <= max(times) + WIDTH_S
        reach = total.until_at - total.since_at
        assert SECONDS[name] <= reach <= 1.5 * SECONDS[name]
    assert windows.total(ROLLOUT).cells[0] == len(times)


@given(TIMES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(times, chance):
    shuffled = [*times]
    chance.shuffle(shuffled)
    assert counts(filled(times)) == counts(filled(shuffled))
    assert filled(times).state() == filled(shuffled).state()


@given(TIMES, TIMES)
def test_a_restart_in_between_changes_nothing(before, after):
    assert filled(after, restored(filled(before).state())).state() == filled([*before, *after]).state()


@given(TIMES, st.randoms(use_true_random=False))
def test_what_is_taken_out_leaves_nothing(times, chance):
    windows = filled(times)
    chance.shuffle(times)
    for at in times:
        windows.bucket(float(at))[0] -= 1.0
    assert counts(windows) == dict.fromkeys(LEVELS, 0.0)


def test_cells_that_come_later_are_zero_in_older_buckets():
    windows = filled([0, 100_000, 1_000_000])
    place = windows.allot(2)
    windows.bucket(1_000_000.0)[place] += 5.0
    assert windows.total(ROLLOUT).cells == [3.0, 5.0, 0.0]
    assert windows.total("5m").cells == [1.0, 5.0, 0.0]


def test_an_empty_window_is_all_zero():
    windows = Windows()
    windows.allot(3)
    assert windows.total("1h").cells == [0.0] * 3


def test_there_are_never_more_buckets_than_the_levels_hold():
    chance = random.Random(1)
    windows = filled(chance.randrange(10_000_000) for _ in range(5_000))
    assert len(windows.buckets) == HELD * len(RATIOS) + 1


def test_a_state_of_other_buckets_is_refused():
    with pytest.raises(ValueError, match="3 buckets: want 16"):
        restored([1, 0, [None, None, None]])


@given(TIMES, TIMES)
def test_a_state_without_the_buckets_of_three_hours_goes_on(before, after):
    size, head, written = filled(before).state()
    former = [written[:6], written[6:9], written[9:]]
    moved = restored([size, head, [*former[0], *former[2]]])
    kept = restored([size, head, [*former[0], None, None, None, *former[2]]])
    assert filled(after, moved).state() == filled(after, kept).state()
