"""One broken value or one outcome of the wrong kind does no lasting harm."""

import math

import numpy as np
import pytest

from tests.unit.stream.test_room import Play

HURT, ALL = 6_000, 9_000


def regression(broken_at, error):
    """Play a regression whose error is ten times as large from ``HURT`` on, with one broken outcome."""
    play, rng = Play(), np.random.default_rng(5)
    for i in range(ALL):
        usual = rng.exponential() * (10.0 if i >= HURT else 1.0)
        play.know(play.predict(said=10.0), 10.0 + (error if i == broken_at else usual))
    return play.monitor


def test_an_error_that_no_sum_can_hold_is_mismatched():
    play = Play()
    play.know(play.predict(said=1.0), 3.0)
    assert play.know(play.predict(said=1.7e308), -1.7e308) == ["mismatched"]
    assert play.know(play.predict(said=1e200), 0.0) == ["mismatched"]
    series = play.monitor.versions["v"].series["all"]
    assert (series.outcomes, series.rollout(), series.recent()) == (1, 2.0, 2.0)


@pytest.mark.parametrize("error", [1.0, 1e4, 1e6, 1e12])
def test_a_broken_value_among_the_first_leaves_the_scale_as_it_is(error):
    series = regression(50, error).versions["v"].series["all"]
    assert series.scale == pytest.approx(4.0, rel=0.25)
    assert series.finding is not None or series.episode


def test_an_outcome_of_the_wrong_kind_that_is_corrected_counts_in_the_end():
    play = Play()
    one = play.predict(said="yes")
    assert play.know(one, 1.0) == ["mismatched"]
    assert play.know(one, "no", later_s=2) == ["corrected"]
    series = play.monitor.versions["v"].series["all"]
    assert (series.outcomes, series.loss_total, series.corrected) == (1, 1.0, 1)
    assert play.know(one, "yes", later_s=3) == ["corrected"]
    assert (series.outcomes, series.loss_total, series.corrected) == (1, 0.0, 2)


def test_a_correction_of_the_wrong_kind_takes_the_outcome_back_until_it_is_corrected_again():
    play = Play()
    one = play.predict(said="yes")
    play.know(one, "no")
    series = play.monitor.versions["v"].series["all"]
    assert play.know(one, 1.0, later_s=2) == ["mismatched"]
    assert (series.outcomes, series.loss_total) == (0, 0.0)
    assert math.isnan(series.rollout())
    assert play.know(one, 0.0, later_s=3) == ["mismatched"]
    assert play.know(one, "no", later_s=4) == ["corrected"]
    assert (series.outcomes, series.loss_total) == (1, 1.0)
