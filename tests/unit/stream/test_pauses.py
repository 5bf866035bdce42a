"""Labels after a pause, or of a new version, where quick ones are worse or better than slow ones."""

from math import inf

import pytest

from bench.detection.pauses import Kind, pages
from stream.pauses import Pauses
from stream.version import Version

DAY_S, MINUTE_S = 86_400.0, 60.0
MEAN_S, SPREAD_S = 0.9 * DAY_S, 0.3 * DAY_S


def known(quick_lost: int, slow_lost: int, apart_s: float = 60.0) -> Pauses:
    """Return what 1,000 quick and 9,000 slow labels say, of which so many were lost."""
    made = Pauses()
    for number in range(1_000):
        made.take(MINUTE_S, MEAN_S, number < quick_lost)
    for number in range(9_000):
        made.take(DAY_S, MEAN_S, number < slow_lost)
    made.reckon(MEAN_S, SPREAD_S, apart_s)
    return made


def biased(made: Pauses, paused_s: float) -> tuple[float, float]:
    """Return from when to when labels are biased after a pause, in seconds since its end."""
    made.resume(paused_s, 1e9)
    return made.biased_from - 1e9, made.fair_from - 1e9


def test_a_pause_matters_only_where_quick_labels_are_worse():
    assert known(100, 900).shortest_s == known(0, 900).shortest_s == known(0, 0).shortest_s == inf
    assert known(900, 900, apart_s=120.0).shortest_s == 20 * 120.0
    assert known(900, 900).shortest_s == pytest.approx(0.02 * MEAN_S)


def test_slow_labels_alone_are_fair_only_where_they_are_no_worse():
    assert known(100, 900).patience_s == known(900, 900).patience_s == inf
    assert known(0, 900).patience_s == 20 * 60.0


def test_few_labels_prove_no_difference():
    made = Pauses()
    for number in range(12):
        made.take(MINUTE_S, MEAN_S, number < 3)
        made.take(DAY_S, MEAN_S, number < 1)
    made.reckon(MEAN_S, SPREAD_S, 60.0)
    assert (made.shortest_s, made.settles_s()) == (inf, 0.0)


def test_labels_are_biased_while_slow_ones_of_the_pause_would_have_come():
    assert biased(known(900, 900), 12 * 3_600.0) == pytest.approx((MEAN_S - DAY_S / 2, DAY_S))
    assert biased(known(900, 900), 3 * DAY_S) == pytest.approx((0.0, DAY_S))


def test_usual_pauses_are_in_what_is_learned():
    made = known(900, 900)
    made.resume(DAY_S / 2, 1e9)
    fair_from = made.fair_from
    for night in (1, 2, 3):
        made.resume(DAY_S / 2, 1e9 + night * DAY_S)
    assert made.fair_from == fair_from
    made.resume(2.5 * DAY_S, 1e9 + 6 * DAY_S)
    assert made.fair_from == pytest.approx(1e9 + 7 * DAY_S)


def test_a_second_pause_does_not_end_the_bias_of_the_first():
    made = known(900, 900)
    made.resume(3 * DAY_S, 1e9)
    made.resume(9 * DAY_S, 1e9 + DAY_S / 2)
    assert (made.biased_from, made.fair_from) == pytest.approx((1e9, 1e9 + 1.5 * DAY_S))


def test_what_is_long_past_counts_half():
    made = Pauses(quick=10_000, quick_lost=20, slow=90_000, slow_lost=10, slow_total_s=9e9, slow_squares=9e14)
    made.reckon(MEAN_S, SPREAD_S, 1.0)
    assert (made.quick, made.quick_lost, made.slow, made.slow_lost) == (5_000, 10, 45_000, 5)
    assert (made.slow_total_s, made.slow_squares) == (4.5e9, 4.5e14)


def test_the_next_version_knows_how_labels_are_and_no_pause():
    made = known(900, 900)
    made.resume(DAY_S, 1e9)
    heir = made.heir()
    assert heir.settles_s() == made.settles_s() == DAY_S
    assert not heir.is_biased(1e9 + MINUTE_S)
    assert made.is_biased(1e9 + MINUTE_S)


def test_a_version_begins_with_nothing_known():
    assert Version("classification").pauses == Pauses()


@pytest.mark.parametrize(
    "kind",
    [
        Kind(1_000, "right", rest="weekend"),
        Kind(2_000, "right", 60.0),
        Kind(1_000, "wrong", lives=7.0),
        Kind(1_000, "wrong", rest="night"),
    ],
    ids=str,
)
def test_no_false_page_where_wrong_labels_come_sooner_or_later(kind):
    assert pages(kind, 0) == []


def test_harm_after_a_pause_is_told_soon():
    found = pages(Kind(2_000, "right", 12.0, times=3.0), 0)
    assert 0.0 < found[0] < 0.5


def test_harm_is_told_though_the_first_day_had_quick_labels_only():
    """They are all wrong: a reference learned of them would hide for weeks that a third more are."""
    found = pages(Kind(2_000, "right", 0.001, times=2.0), 1)
    assert 0.0 < found[0] < 1.0
