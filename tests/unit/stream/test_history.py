"""A history in 32 buckets: exact sums, and borders as near as the age of what is asked for allows."""

import pytest

from stream.history import BUCKETS, CELLS, History


@pytest.mark.parametrize("losses", [1, 7, 250, 3_000, 300_000])
def test_all_losses_are_in_it_however_long_it_lives(losses):
    history = History()
    for at in range(losses):
        history.add(float(at), float(at % 2))
    assert len(history.cells) <= CELLS * BUCKETS
    assert (history.newest(losses).losses, history.newest(losses).total) == (losses, losses // 2)
    assert history.since(0.0).losses == losses


@pytest.mark.parametrize("life", [3_000, 30_000, 300_000])
def test_a_border_is_near_whatever_the_age_and_the_life(life):
    history = History()
    for at in range(life):
        history.add(float(at), 0.0)
    for age in (64, 100, 300, 1_000, 3_000):
        seen = history.newest(age).losses
        assert age <= seen <= 1.9 * age + 8


def test_borders_never_go_back():
    history = History()
    for at in range(5_000):
        history.add(float(at - 40 * (at % 7)), 0.0)
    began = [bucket.began_at for bucket in history.buckets()]
    assert began == sorted(began)
