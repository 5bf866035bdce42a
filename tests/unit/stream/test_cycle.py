"""Losses that go round with the hour and the day of the week."""

import numpy as np
import pytest

from bench.detection.cycles import Kind, pages
from stream import state
from stream.cycle import FIRST_DAY, FIRST_WEEK, Count, Cycle, hour_of
from stream.events import Instant, Prediction
from stream.joined import Joined, Reason, Served
from stream.judge.guard import Guard
from stream.judge.level import MOST
from stream.maturity import COHORTS, Maturity
from stream.monitor import Monitor
from stream.traffic import HOUR_S
from stream.version import Judgement

LEAST = 0.2


def hours(count, mean):
    """Return cohorts of the first so many hours, ``mean(hour)`` the mean of their 400 losses."""
    return [Count(HOUR_S * hour, 400.0, 400.0 * mean(hour)) for hour in range(count)]


def evening(hour):
    return 0.2 if hour % 24 >= 18 else 0.1


def test_what_is_usual_at_an_hour_is_no_rise():
    usual = Cycle().rise(hours(24 * 3 + 20, evening), HOUR_S, HOUR_S * (24 * 3 + 18), 0.125, LEAST)
    assert usual.factor == pytest.approx(0.2 / 0.125, rel=0.1)
    assert usual.is_known
    noon = Cycle().rise(hours(24 * 3 + 14, evening), HOUR_S, HOUR_S * (24 * 3 + 12), 0.125, LEAST)
    assert noon.factor == 1.0


def test_a_weekend_is_usual_once_it_was_seen():
    def weekend(hour):
        return 0.15 if hour // 24 % 7 >= 5 else 0.1

    first, second = (
        Cycle().rise(hours(day * 24 + 6, weekend), HOUR_S, HOUR_S * day * 24, 0.1, LEAST) for day in (5, 12)
    )
    assert (first.factor, first.least) == (pytest.approx(1.0, abs=0.01), FIRST_WEEK)
    assert (second.factor, second.least) == (pytest.approx(1.45, abs=0.06), LEAST)


def test_on_the_first_day_the_hours_before_say_what_is_usual():
    rows = hours(9, lambda hour: 0.05 if hour < 3 else 0.09)
    rise = Cycle().rise(rows, HOUR_S, HOUR_S * 6, 0.06, LEAST)
    assert (rise.factor, rise.least, rise.is_known) == (pytest.approx(0.09 / 0.06), FIRST_DAY, False)


def test_a_rise_that_lasts_for_all_hours_needs_none_of_it():
    for days, least in ((3, FIRST_WEEK), (9, LEAST)):
        rows = hours(24 * days, lambda hour: 0.3 if hour >= 24 else 0.1)
        assert Cycle().rise(rows, HOUR_S, HOUR_S * 24, 0.1, LEAST).least == least
    assert Cycle().rise(hours(24 * 9, evening), HOUR_S, HOUR_S * 24, 0.125, LEAST).factor < 1.05


@pytest.mark.parametrize("rows", [[], hours(1, evening), hours(9, lambda _: 0.0)])
def test_nothing_is_usual_without_anything_to_compare(rows):
    assert Cycle().rise(rows, HOUR_S, 0.0, float("nan"), LEAST) == (1.0, LEAST, True, 1.0)


def test_one_broken_hour_is_no_cycle():
    rows = hours(24 * 3 + 20, lambda hour: 1e18 if hour == 42 else 1.0)
    assert Cycle().rise(rows, HOUR_S, HOUR_S * (24 * 3 + 18), 1.0, LEAST).factor < 3.0


def test_cohorts_that_left_the_ring_are_remembered_by_hour_of_the_week():
    maturity, rng = Maturity(), np.random.default_rng(1)
    for hour in range(24 * 14 + 19):
        at = HOUR_S * hour + 60.0
        for _ in range(100):
            maturity.predicted(at)
            lost = float(rng.random() < evening(hour))
            maturity.labelled(at, 1.0, lost, 1.0, at, 0.0)
    assert sum(map(bool, maturity.cycle.cells[::2])) == 168
    assert hour_of(HOUR_S * (24 * 14 + 18)) == 18
    rise = maturity.rise(HOUR_S * (24 * 14 + 18), 0.125, LEAST)
    assert rise.factor == pytest.approx(1.6, rel=0.15)
    assert COHORTS == 96
    monitor = Monitor("m")
    monitor.health.maturity = maturity
    again = state.load(state.dump(monitor)).health.maturity
    assert again.rise(HOUR_S * (24 * 14 + 18), 0.125, LEAST) == rise


def test_a_young_reference_is_renewed_beyond_the_most_until_a_week_has_passed():
    guard, rng = Guard(0.5), np.random.default_rng(2)
    guard.is_seasoned = False
    for loss in (rng.random(30_000) < 0.1).astype(float).tolist():
        guard.take(loss, 1e6, LEAST)
    assert guard.learning
    assert guard.known > MOST
    guard.is_seasoned = True
    for loss in (rng.random(30_000) < 0.1).astype(float).tolist():
        guard.take(loss, 1e6, LEAST)
    assert not guard.learning


def test_harm_that_is_over_leaves_a_young_reference_learning():
    guard, rng = Guard(0.5), np.random.default_rng(3)
    guard.is_seasoned = False
    for loss in (rng.random(6_000) < 0.1).astype(float).tolist():
        guard.take(loss, 1e6, LEAST)
    guard.freeze()
    known = guard.known
    guard.resume()
    for loss in (rng.random(2 * known + 1_000) < 0.1).astype(float).tolist():
        guard.take(loss, 1e6, LEAST)
    assert guard.known >= 2 * known


def test_a_model_with_a_daily_wave_pages_only_when_it_is_worse():
    well, ill = Kind(10_000, 0.4), Kind(10_000, 0.4, hurt=3.3, times=2.0)
    assert [pages(well, seed) for seed in (0, 1)] == [[], []]
    assert all(0.0 < pages(ill, seed)[0] < 1.0 for seed in (0, 1))


def test_versions_that_live_for_hours_learn_the_reference_of_a_week_together():
    rng, monitor, judgement = np.random.default_rng(4), Monitor("m"), Judgement()
    for i in range(12_000):
        version, at = f"v{i // 1_000}", 720.0 * i
        served = Served(f"p{i}", "m", version, at, True, False, ("all",))
        said = Prediction(prediction_id=f"p{i}", model="m", version=version, at=Instant(at), prediction=True)
        monitor.predicted(said, served, judgement)
        right = bool(rng.random() < (0.94 if i < 1_000 else 0.9))
        assert not monitor.take(Joined(Reason.MATCHED, "m", served, right, at + 60.0), judgement, None)[1]
    guard = monitor.versions["v11"].series["all"].guard
    assert not guard.learning
    assert guard.known >= MOST
    assert guard.known_total / guard.known == pytest.approx(0.1, abs=0.015)
    recall = monitor.versions["v11"].aspects.recalls["true"]
    assert not recall.guard.learning
    assert recall.before().losses >= 4_000
