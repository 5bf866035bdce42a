"""Labels that come in batches, of which a part is no fair sample."""

import numpy as np
import pytest

from bench.detection.dumps import Kind, pages
from stream import state
from stream.aspect import Aspect, Case
from stream.batches import LOOKS, Batches
from stream.judge.guard import Guard
from stream.judge.level import FEWEST
from stream.monitor import Monitor
from stream.series import new_series
from stream.version import RECKONED, Version

DAY_S = 86_400.0
HALF_HOUR_S = 1_800.0
"""In which as many predictions are made as labels come between two looks."""
LEAST = 0.2


def looks(batches, times, *, is_judged=True):
    """Return at each look whether it is of a first batch; labels take a day."""
    return [batches.is_first(now, HALF_HOUR_S, DAY_S, is_judged) for now in times]


NIGHT = np.arange(0.0, 200.0, 10.0)
SEEN = [False] * LOOKS + [True] * (len(NIGHT) - LOOKS)
"""Before so many looks nothing says that a batch has begun."""


def test_labels_that_come_one_by_one_are_no_batch():
    assert not any(looks(Batches(), np.arange(0.0, DAY_S, HALF_HOUR_S)))


def test_labels_at_the_busy_hours_of_a_model_are_no_batch():
    assert not any(looks(Batches(), np.arange(0.0, DAY_S, HALF_HOUR_S / 3.0)))


def test_a_batch_is_the_first_until_labels_come_again():
    batches = Batches()
    assert looks(batches, NIGHT) == SEEN
    assert not any(looks(batches, DAY_S + NIGHT))


def test_batches_before_labels_were_judged_are_none_before():
    batches = Batches()
    looks(batches, NIGHT, is_judged=False)
    assert looks(batches, DAY_S + NIGHT) == SEEN
    assert not any(looks(batches, 2 * DAY_S + NIGHT))


def test_labels_out_of_order_for_once_are_no_batch():
    swapped = [0.0, 3.0, 1.0, 2.0, 6.0, 4.0, 5.0, 9.0]
    assert not any(looks(Batches(), [HALF_HOUR_S * one for one in swapped]))


def test_no_first_reference_is_made_of_losses_that_wait():
    guard, losses = Guard(0.5), [float(number % 10 == 0) for number in range(2 * FEWEST)]
    for number, loss in enumerate(losses):
        if number % RECKONED == 0:
            guard.wait(RECKONED)
        guard.take(loss, 1e6, LEAST)
    assert guard.harm is None
    for loss in losses[: RECKONED + 1]:
        guard.take(loss, 1e6, LEAST)
    assert guard.known == 2 * FEWEST + 1


def test_a_reference_that_is_there_is_renewed_in_a_batch():
    guard = Guard(0.5)
    for number in range(2 * FEWEST):
        guard.take(float(number % 10 == 0), 1e6, LEAST)
        if number >= FEWEST:
            guard.wait(RECKONED)
    assert guard.known == 2 * FEWEST


def test_adwin_sees_no_rise_in_losses_that_wait():
    series, proved = new_series("classification", 1e-4), []
    for number in range(1_000):
        if number % RECKONED == 0:
            series.wait(RECKONED)
        proved.append(series.learn(0.0, float(number > 500), "p", 200, 1e6, LEAST, True))
    assert not any(proved)
    assert series.guard.harm is None


@pytest.mark.parametrize(("order", "after_days"), [("place", 2.0), ("outcome", 14.0)])
def test_a_sorted_dump_each_night_pages_only_when_the_model_is_worse(order, after_days):
    days = pages(Kind(2_000, order, times=3.0), 0)
    assert days
    assert 0.0 < min(days) < after_days


def test_no_first_reference_is_made_beside_the_errors_either():
    aspect = Aspect(Guard(0.5))
    aspect.aim()
    for number in range(4 * FEWEST):
        if number % RECKONED == 0:
            aspect.wait(RECKONED)
        loss = float(number % 40 == 0)
        if aspect.counts(loss, loss):
            aspect.take(loss, loss, Case(0.0, "p", 1e6, LEAST))
    assert aspect.guard.harm is None
    for _ in range(RECKONED + 1):
        if aspect.counts(0.0, 0.0):
            aspect.take(0.0, 0.0, Case(0.0, "p", 1e6, LEAST))
    assert aspect.guard.known == 4 * FEWEST + 1


def test_when_labels_came_is_kept_in_the_state():
    monitor = Monitor("m")
    monitor.versions["v1"] = Version("classification", batches=Batches((1.0, 2.0, 3.0), 2.0))
    assert state.load(state.dump(monitor)).versions["v1"].batches == Batches((1.0, 2.0, 3.0), 2.0)
