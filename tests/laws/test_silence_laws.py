"""Silence of traffic by simulation: the short form of ``bench.detection.silences``."""

import numpy as np
import pytest

from bench.detection.silences import BEGAN_AT, ODDS, simulate, tickets
from bench.detection.silences import DAYS as SIMULATED
from stream.gaps import DAYS, FEWEST, Gaps
from stream.traffic import HOUR_S


@pytest.mark.parametrize("shape", ["weekly", "office hours"])
def test_usual_traffic_keeps_its_budget_and_a_stop_is_told(shape):
    calm = simulate(shape, 300.0, 6, stops=False)
    ended = simulate(shape, 300.0, 4, stops=True)
    assert calm.opened <= 1
    assert ended.opened <= 1
    assert len(ended.delays) == 4
    assert np.median(ended.delays) < 16.0


@pytest.mark.parametrize("shift", [-1, 1])
def test_office_hours_that_move_by_an_hour_open_nothing(shift):
    """Summer time begins, or ends: all predictions of a day come an hour earlier or later than they did."""
    rng, hours = np.random.default_rng(3), np.arange(SIMULATED * 24)
    local = np.where(hours < 28 * 24, hours, hours + shift)
    is_open = (local % 24 >= 8) & (local % 24 < 18) & (hours // 24 % 7 < 5)
    counts = rng.poisson(np.where(is_open, 60.0, 0.0))
    at = BEGAN_AT + np.sort(np.repeat(hours * HOUR_S, counts) + rng.uniform(0.0, HOUR_S, counts.sum()))
    assert tickets(at.tolist()) == []


@pytest.mark.parametrize("days", [FEWEST, 10, DAYS])
def test_the_limit_is_exceeded_no_more_often_than_asked_for(days):
    rng, exceeded = np.random.default_rng(1), []
    for sample in rng.gumbel(20.0, 3.0, (20_000, days)):
        limit = Gaps(days=sample.tolist()).limit(ODDS, 1.0)
        exceeded.append(-np.expm1(-np.exp(-(limit - 20.0) / 3.0)))
    assert np.mean(exceeded) <= ODDS


def test_few_days_have_no_limit():
    assert Gaps(days=[1.0] * (FEWEST - 1)).limit(ODDS, 100.0) == float("inf")
