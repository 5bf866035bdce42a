"""Accuracy before labels: what is expected of a bin, how sure that is, and what labels say of it later."""

import asyncio
from math import isnan, sqrt

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from stream.confidence import COHORTS, ENOUGH, Confidence, restored_confidence
from stream.estimate import LEARNED, estimate
from stream.estimate_figures import EstimateFigures, EstimateRow
from stream.estimates import estimates_of

HOUR_S = 3_600.0
HORIZON_S = 8 * HOUR_S
"""So that a cohort is an hour."""


def played(hours, an_hour=200, *, calibrated=lambda score: score, seed=1, made=None, first=0, low=0.5):
    """Return what a version that says ``True`` at even scores of ``low`` to 1, in so many hours, is counted as."""
    rng, made = np.random.default_rng(seed), made or Confidence(HORIZON_S)
    for hour in range(first, first + hours):
        for score in rng.uniform(low, 1.0, an_hour):
            at = (hour + 0.5) * HOUR_S
            made.predicted(at, True, float(score), at)
            made.labelled(at, True, float(score), bool(rng.random() < calibrated(score)))
        made.close((hour + 1) * HOUR_S)
    return made


def test_the_estimate_is_the_mean_of_the_bins_rates_weighted_by_predictions():
    made = estimate([300, 100], [0, 1_000, 900, 0, 500, 300])
    assert made.value == pytest.approx(0.75 * 0.9 + 0.25 * 0.6)
    assert (made.predictions, made.calibrated_by) == (400, 1_500)
    assert made.lower < made.value < made.upper


def test_the_bounds_are_those_of_the_rates_and_of_the_draw():
    """One bin: the variance is that of a Beta posterior and of a binomial with its mean."""
    made = estimate([400], [0, 999, 899])
    rate = 899.5 / 1_000
    assert made.upper - made.value == pytest.approx(
        1.959964 * sqrt(rate * (1 - rate) * (1 / 1_001 + 1 / 400)), rel=1e-9
    )


def test_a_bin_without_labels_makes_the_bounds_wide():
    known = estimate([1_000, 0], [0, 5_000, 4_500, 0, 0, 0])
    strange = estimate([500, 500], [0, 5_000, 4_500, 0, 0, 0])
    assert strange.value == pytest.approx(0.7)
    assert strange.upper - strange.lower > 10 * (known.upper - known.lower)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_what_never_gets_labels_may_be_anything(rate):
    """Of loans that were refused nobody knows what would have become, so no sum of bins may be sure of them."""
    made = estimate([100] * 8, [0, 500, 400] * 2 + [0, 0, 0] * 6)
    assert made.lower < (2 * 0.8 + 6 * rate) / 8 < made.upper
    assert made.value == pytest.approx((2 * 0.8 + 6 * 0.5) / 8)


@pytest.mark.parametrize(("cells", "calibration"), [([0], [0, 500, 400]), ([9], [0, LEARNED - 1, 9])])
def test_without_predictions_or_with_few_labels_nothing_is_estimated(cells, calibration):
    made = estimate(cells, calibration)
    assert all(map(isnan, made[:3]))


def test_nothing_is_estimated_before_a_horizon_of_labels():
    assert isnan(played(8).newest().value)
    assert played(12).newest().value == pytest.approx(0.75, abs=0.05)


def test_labels_of_its_own_time_calibrate_no_estimate():
    made = played(40)
    before = made.newest()
    for _ in range(5_000):
        made.labelled(39.5 * HOUR_S, True, 0.95, False)
        made.labelled(32.5 * HOUR_S, True, 0.95, False)
    assert made.newest() == before


def test_scores_that_are_no_probabilities_are_calibrated():
    made = played(80, calibrated=lambda score: 0.9 - score / 2)
    assert made.newest().value == pytest.approx(0.9 - 0.75 / 2, abs=0.02)
    assert made.held.covered > 0.8 * made.held.batches


def test_a_shift_of_scores_is_seen_before_its_labels():
    made = played(60)
    for _ in range(400):
        made.predicted(60.5 * HOUR_S, True, 0.55, 60.5 * HOUR_S)
        made.predicted(61.5 * HOUR_S, True, 0.55, 61.5 * HOUR_S)
    assert made.newest().value == pytest.approx(0.55, abs=0.03)


def test_a_changed_concept_is_seen_only_by_what_is_held():
    made = played(60, an_hour=500)
    held = made.held
    played(24, an_hour=500, calibrated=lambda score: score - 0.3, made=made, first=60, seed=2)
    assert held.covered > 0.85 * held.batches
    assert made.newest().value > 0.6
    since = made.held.batches - held.batches
    assert since > 5
    assert made.held.covered - held.covered < since
    assert made.held.newest.realised == pytest.approx(0.45, abs=0.06)
    assert not made.held.newest.is_covered


def test_few_labels_are_held_together():
    made = played(200, an_hour=10)
    assert made.held.batches == pytest.approx((200 - 16) * 10 / ENOUGH, abs=3)
    assert made.held.newest.estimate.predictions == ENOUGH
    assert made.held.newest.ended_at - made.held.newest.began_at == 10 * HOUR_S


def test_what_gets_labels_may_be_another_mix_of_scores():
    """Half of the predictions are unsure and never labelled: they are estimated, not held."""
    made = Confidence(HORIZON_S)
    for hour in range(60):
        at = (hour + 0.5) * HOUR_S
        for turn in range(100):
            for score in (0.52, 0.92):
                made.predicted(at, True, score, at)
                if score > 0.9 or not hour:
                    made.labelled(at, True, score, turn % 10 > 0 if score > 0.9 else turn % 2 == 0)
        made.close(at)
    assert made.newest().value == pytest.approx(0.7)
    assert made.held.newest.estimate.value == pytest.approx(0.9)
    assert made.held.covered == made.held.batches > 0


def test_what_was_said_has_columns_of_its_own():
    """Both answers come with scores from the same bin, but one is always right."""
    made = Confidence(HORIZON_S)
    for hour in range(12):
        at = (hour + 0.5) * HOUR_S
        for said in (True, False):
            for turn in range(100):
                made.predicted(at, said, 0.55, at)
                made.labelled(at, said, 0.55, said or turn % 2 == 0)
    for _ in range(200):
        made.predicted(12.5 * HOUR_S, False, 0.55, 12.5 * HOUR_S)
        made.predicted(11.5 * HOUR_S, False, 0.55, 11.5 * HOUR_S)
    assert made.newest().value == pytest.approx((400 * 0.5 + 100 * 0.5 + 100) / 600, abs=0.001)


@pytest.mark.parametrize(
    ("scores", "same"),
    [
        ({"cat": 0.65, "dog": 0.35}, {"cat": 0.66}),
        ({"dog": 0.35}, {"cat": 0.65}),  # a class that was given none has what the others leave
        ({"cat": 0.65, "dog": 0.9}, {"cat": 0.65}),  # they need not add up to 1
    ],
)
def test_scores_by_class_are_binned_by_that_of_what_was_said(scores, same):
    one, other = Confidence(HORIZON_S), Confidence(HORIZON_S)
    one.predicted(0.0, "cat", scores, 0.0)
    other.predicted(0.0, "cat", same, 0.0)
    assert one.state() == other.state()


def test_scores_of_a_number_are_named_as_json_does():
    one, other = Confidence(HORIZON_S), Confidence(HORIZON_S)
    one.predicted(0.0, 3.0, {"3": 0.95}, 0.0)
    other.predicted(0.0, 3.0, 0.95, 0.0)
    assert one.state() == other.state()


def test_without_scores_nothing_is_counted():
    made = Confidence(HORIZON_S)
    made.predicted(0.0, True, None, 0.0)
    made.labelled(0.0, True, None, True)
    made.revised(0.0, True, None, -1, -1)
    assert estimates_of(made) is None
    assert not made.cohorts


def test_a_correction_moves_what_is_held():
    made = [played(37), played(37)]
    made[1].revised(30.5 * HOUR_S, True, 0.75, 0, -1)
    for one in made:
        one.close(47.5 * HOUR_S)
    assert made[1].held.newest.realised == pytest.approx(made[0].held.newest.realised - 1 / 200)


def test_a_correction_of_what_was_forgotten_counts_nowhere():
    made = Confidence(HORIZON_S)
    made.predicted(0.0, True, 0.9, 0.0)
    before = made.state()
    made.revised(0.0, True, 0.9, -1, -1)
    made.revised(-10 * HOUR_S, True, 0.9, -1, -1)
    made.revised(0.0, True, 0.1, -1, -1)
    assert made.state() == before


def test_what_the_clock_is_two_horizons_past_counts_nowhere_closed_or_not():
    late = 10.5 * HOUR_S + 2.1 * HORIZON_S
    made = [Confidence(HORIZON_S), Confidence(HORIZON_S)]
    for one in made:
        one.predicted(10.5 * HOUR_S, True, 0.9, 10.5 * HOUR_S)
    made[0].close(late)
    for one in made:
        one.predicted(10.5 * HOUR_S, True, 0.9, late)
        one.predicted(9.5 * HOUR_S, True, 0.9, late)
    made[1].close(late)
    assert made[0].state() == made[1].state()
    assert sum(made[0].batch) == 1


def test_cohorts_have_a_bound_and_what_is_forgotten_is_counted():
    made = Confidence(HORIZON_S)
    for hour in range(COHORTS + 10):
        made.predicted((hour + 0.5) * HOUR_S, True, 0.9, 0.0)
    made.predicted(0.5 * HOUR_S, True, 0.9, 0.0)
    assert len(made.cohorts) == COHORTS
    assert made.forgotten == 10
    made.predicted(-5.5 * HOUR_S, True, 0.9, 0.0)
    assert (len(made.cohorts), made.closed) == (COHORTS, 9)
    assert estimates_of(made)["forgotten"] == 10


def test_an_older_prediction_makes_no_room_for_itself():
    made = Confidence(HORIZON_S)
    for hour in range(COHORTS):
        made.predicted((hour + 0.5) * HOUR_S, True, 0.9, 0.0)
    made.predicted(-0.5 * HOUR_S, True, 0.9, 0.0)
    assert (min(made.cohorts), made.forgotten) == (0, 1)


def test_later_classes_share_columns_and_there_are_no_more_than_that():
    made = Confidence(HORIZON_S)
    for number in range(500):
        for score in (0.05, 0.55, 0.9999):
            made.predicted(0.0, f"class {number}", {f"class {number}": score}, 0.0)
    assert len(made.classes) == 2
    assert len(made.cohorts[0]) == 3 * 3 * 3
    assert sum(made.cohorts[0]) == 1_500


def test_what_is_written_is_read_back():
    made = played(60)
    again = restored_confidence(made.state())
    assert again.state() == made.state()
    assert again.newest() == made.newest()
    for one in (made, again):
        played(5, made=one, first=60)
    assert again.state() == made.state()


def test_only_what_is_predicted_later_counts_after_a_change_of_the_horizon():
    made = Confidence(HORIZON_S, 10.5 * HOUR_S)
    made.predicted(10.9 * HOUR_S, True, 0.9, 10.9 * HOUR_S)
    made.labelled(10.9 * HOUR_S, True, 0.9, True)
    assert not made.cohorts
    made.predicted(11.1 * HOUR_S, True, 0.9, 11.1 * HOUR_S)
    assert [*made.cohorts] == [11]


def test_the_past_counts_half_in_the_end():
    made = played(400, an_hour=2_000, low=0.5)
    known = sum(made.calibration[1::3])
    assert 30_000 < known <= 65_536 + 2_000
    assert made.newest().value == pytest.approx(0.75, abs=0.02)


def test_scrape_shows_the_versions_whose_estimates_were_held_most_often():
    busy, small, new = played(60), played(60, an_hour=50), played(4)
    rows = [EstimateRow("m", "new", new), EstimateRow("m", "small", small), EstimateRow("m", "busy", busy)]
    rows.append(EstimateRow("m", "without scores", Confidence(HORIZON_S)))

    def shown(budget, name, version):
        figures, registry = EstimateFigures(lambda: iter([rows]), budget), CollectorRegistry()
        registry.register(figures)
        asyncio.run(figures.refresh())
        return registry.get_sample_value(f"tidewatch_model_{name}", {"model": "m", "version": version})

    made, held = busy.newest(), busy.held
    assert shown(1, "estimated_accuracy_ratio", "busy") == made.value
    assert shown(1, "estimated_accuracy_lower_ratio", "busy") == made.lower
    assert shown(1, "estimated_accuracy_upper_ratio", "busy") == made.upper
    assert shown(1, "held_estimate_ratio", "busy") == held.newest.estimate.value
    assert shown(1, "held_accuracy_ratio", "busy") == held.newest.realised
    assert shown(1, "held_error_ratio", "busy") == held.mean_absolute_error
    assert shown(1, "held_estimates_total", "busy") == held.batches
    assert shown(1, "held_estimates_covered_total", "busy") == held.covered
    assert shown(1, "estimated_accuracy_ratio", "small") is None
    assert shown(2, "estimated_accuracy_ratio", "small") > 0
    assert shown(9, "estimated_accuracy_ratio", "new") is None
    assert shown(9, "held_estimates_total", "new") == 0
    assert shown(9, "held_estimates_total", "without scores") is None
