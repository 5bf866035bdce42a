"""How labels and losses come with the age of predictions, and what is usual of what comes at a time."""

import numpy as np
import pytest

from stream.development import EVEN, Development, Early, Made

DAY_S, HOUR_S, MINUTE_S = 86_400.0, 3_600.0, 60.0


def clicks(labels=4_000, seed=1):
    """Return how labels come of which one in ten is wrong and takes a minute; right ones take a day."""
    rng, made = np.random.default_rng(seed), Development()
    for wrong in (rng.random(labels) < 0.1).tolist():
        made.take((MINUTE_S if wrong else DAY_S) * rng.uniform(0.9, 1.1), float(wrong), 1.0)
    return made


def expected(made, since, until, begin=0.0, end=100.0):
    """Return early of predictions made evenly between two days, 1,000 a day."""
    spans = [Made(begin * DAY_S, end * DAY_S, 1_000 * (end - begin))]
    return made.early(spans, [since * DAY_S], until * DAY_S)[0]


def test_labels_that_come_alike_are_even():
    rng, made = np.random.default_rng(1), Development()
    for wrong in (rng.random(20_000) < 0.1).tolist():
        made.take(float(rng.lognormal(5.0, 1.5)), float(wrong), 1.0)
    assert made.settled_s() == 0.0
    assert expected(made, 0.0, 0.1) == EVEN


def test_few_labels_are_never_uneven():
    made = Development()
    assert made.settled_s() == 0.0
    found = []
    for _ in range(20):
        made.take(MINUTE_S, 0.0, 1.0)
        made.take(DAY_S, 1.0, 1.0)
        found.append(made.settled_s() > 0.0)
    assert found.index(True) == 12, "13 of each: 2.5 standard errors are less than 1"
    assert all(found[12:])


def test_clicks_are_settled_when_both_have_come():
    made = clicks()
    assert 1.05 * DAY_S < made.settled_s() / 1.5 < 1.3 * DAY_S


@pytest.mark.parametrize(("since", "until", "mean"), [(0.0, 0.1, 1.0), (0.0, 0.89, 1.0), (1.2, 9.0, 0.1)])
def test_the_first_day_of_clicks_is_all_wrong_and_the_rest_is_as_usual(since, until, mean):
    found = expected(clicks(), since, until)
    assert found.mean == pytest.approx(mean, abs=0.01)
    assert found.usual == pytest.approx(0.1, abs=0.01)


def test_what_comes_in_a_stretch_is_what_a_simulation_counts():
    """Predictions stop for half a day, a day before the stretch: its right labels are missing."""
    rng, made = np.random.default_rng(3), clicks(40_000)
    at = rng.uniform(0.0, 4.0, 400_000)
    at = at[(at < 2.0) | (at >= 2.5)]
    wrong = rng.random(len(at)) < 0.1
    known_at = at + np.where(wrong, MINUTE_S / DAY_S, 1.0) * rng.uniform(0.9, 1.1, len(at))
    spans = [Made(0.0, 2 * DAY_S, 200_000), Made(2.5 * DAY_S, 4 * DAY_S, 150_000)]
    for since, until in [(2.6, 2.9), (2.8, 3.0), (3.0, 3.3), (3.2, 3.55), (3.4, 3.9), (1.0, 3.9)]:
        came = (known_at > since) & (known_at <= until)
        (found,) = made.early(spans, [since * DAY_S], until * DAY_S)
        assert found.mean == pytest.approx(wrong[came].mean(), rel=0.1, abs=0.01)


def test_delays_of_one_place_lie_about_their_mean():
    """A place is from 77,935 to 92,680 s."""
    made = Development()
    for _ in range(1_000):
        made.take(80_000.0, 0.0, 1.0)
        made.take(MINUTE_S, 1.0, 1.0)
    before, after = (expected(made, 0.0, until / DAY_S, end=0.01) for until in (77_000.0, 84_000.0))
    assert before.mean == 1.0
    assert after.mean == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("delay_s", [-5.0, 0.0, 0.1, 1e3, 2.0**41])
def test_any_delay_has_a_place(delay_s):
    made = Development()
    for _ in range(20):
        made.take(delay_s, 1.0, 1.0)
        made.take(3_600.0, 0.0, 1.0)
    assert 0.0 < made.settled_s() < np.inf
    assert all(np.isfinite(expected(made, 1.0, until).mean) for until in (0.0, 1.0, 1e3, 1e9))


def test_where_no_label_is_expected_nothing_is_early():
    made = clicks()
    assert made.early([], [0.0, 1.0], DAY_S) == [EVEN, EVEN]
    assert expected(made, 0.0, 0.0) == EVEN
    assert expected(made, 5.0, 6.0, begin=9.0) == EVEN


def test_the_past_counts_half_when_it_is_long():
    made = Development()
    for _ in range(65_536):
        made.take(MINUTE_S, 0.5, 1.0)
    place = next(one for one, labels in enumerate(made.cells) if labels)
    assert made.cells[place] == 65_536
    made.take(MINUTE_S, 0.5, 1.0)
    assert (made.cells[place], made.cells[place + 2]) == (32_768.5, 16_384.25)


def test_nothing_is_known_until_it_is_known_what_is_large():
    made = Development()
    for number in range(100):
        made.take(float(number), float(number), 0.0)
    assert not made.cells
    made.take(1.0, 5.0, 2.0)
    made.take(1.0, 0.5, 2.0)
    assert sum(made.cells[2::3]) == 1.25


def test_what_is_usual_of_a_share_goes_by_odds():
    early = Early(0.9, 0.1)
    assert early.ratio == pytest.approx(9.0)
    assert early.factor("classification", 0.1) == pytest.approx(9.0)
    assert 0.2 * early.factor("classification", 0.2) == pytest.approx(81 / 4 / (81 / 4 + 1), rel=1e-9)
    assert 0.2 * Early(1.0, 0.1).factor("classification", 0.2) == 1.0
    assert early.factor("regression", 0.2) == pytest.approx(9.0)
    assert early.factor("classification", 0.0) == pytest.approx(9.0)


def test_better_ones_first_make_nothing_less_usual():
    assert Early(0.0, 0.1).ratio == Early(0.0, 0.1).factor("classification", 0.2) == 1.0
