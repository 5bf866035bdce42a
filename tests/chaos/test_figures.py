"""The figures that the oracle wants against cases counted by hand, and that a difference is told."""

import copy
import math

import pytest

from tests.chaos.figures import differences, expected, unlike
from tests.chaos.oracle import Series, passed_on

WHOLE = Series("m", "v", "all")


def pair(said, was, sure=None):
    scores = {} if sure is None else {"scores": {said: sure, {"yes": "no", "no": "yes"}[said]: 1.0 - sure}}
    return {"prediction": said} | scores, {"outcome": was}


CLASSES = [pair("yes", "yes", 0.75), pair("yes", "no", 0.75), pair("no", "no", 0.5), pair("no", "no")]
ERRORS = [pair(3.0, 1.0), pair(1.0, 2.0), pair(4.0, 0.0)]


def test_the_figures_of_classes_are_those_that_one_counts_by_hand():
    assert expected(CLASSES, is_whole=True) == {
        "accuracy": (3 / 4, 4),
        "precision[no]": (1.0, 2),
        "recall[no]": (2 / 3, 3),
        "precision[yes]": (1 / 2, 2),
        "recall[yes]": (1.0, 1),
        "balanced_accuracy": (pytest.approx(5 / 6), 4),
        "log_loss": (pytest.approx(-(math.log(0.75) + math.log(0.25) + math.log(0.5)) / 3), 3),
        "brier": (pytest.approx((0.25**2 + 0.75**2 + 0.5**2) / 3), 3),
    }


def test_the_figures_of_errors_are_those_that_one_counts_by_hand():
    assert expected(ERRORS, is_whole=True) == {
        "mae": (pytest.approx(7 / 3), 3),
        "bias": (pytest.approx(5 / 3), 3),
        "rmse": (pytest.approx(math.sqrt(21 / 3)), 3),
        "mape": (pytest.approx((2 + 0.5) / 2), 2),
    }


@pytest.mark.parametrize(("pairs", "names"), [(CLASSES, {"accuracy"}), (ERRORS, {"mae", "bias", "rmse"})])
def test_a_slice_has_fewer(pairs, names):
    assert expected(pairs, is_whole=False).keys() == names


def printed(pairs):
    made = expected(pairs, is_whole=True).items()
    figures = {
        name: {"value": value, "count": count, "lower": None, "upper": 1.0} for name, (value, count) in made
    }
    row = {"model": "m", "version": "v", "slice": "all", "until_at": 1.0}
    windows = row | {"kind": "windows", "windows": {"5m": figures, "rollout": figures}}
    return [windows, row | {"kind": "version", "estimate": {"forgotten": 0}}]


def changed(rows, window, figure, **values):
    rows = copy.deepcopy(rows)
    rows[0]["windows"][window][figure] |= values
    return rows


def test_what_is_as_wanted_is_no_difference_and_rounding_is_none():
    rows = printed(CLASSES)
    assert differences(rows, {WHOLE: CLASSES}) == []
    nearly = changed(
        rows, "rollout", "log_loss", value=rows[0]["windows"]["rollout"]["log_loss"]["value"] + 1e-12
    )
    assert differences(nearly, {WHOLE: CLASSES}) == []
    assert unlike(nearly, rows) == []


@pytest.mark.parametrize("change", [{"value": 0.7}, {"count": 5}, {"value": None}])
def test_a_figure_since_rollout_that_is_not_the_oracles_is_told(change):
    told = differences(changed(printed(CLASSES), "rollout", "accuracy", **change), {WHOLE: CLASSES})
    assert [line.partition(" ")[:1] for line in told] == [("m/v/all:",)]


def test_a_series_without_windows_and_figures_of_nothing_are_told():
    assert differences([], {WHOLE: CLASSES}) == ["m/v/all: no windows"]
    assert differences(printed(CLASSES), {}) == ["m/v/all: figures of no outcomes"]


@pytest.mark.parametrize("change", [{"value": 0.7}, {"count": 5}, {"upper": 0.9}, {"lower": 0.1}])
def test_a_figure_of_any_window_that_is_not_the_calm_runs_is_told(change):
    rows = printed(CLASSES)
    assert len(unlike(changed(rows, "5m", "log_loss", **change), rows)) == 1


def test_an_estimate_that_was_lost_is_told():
    rows = printed(CLASSES)
    assert unlike(rows[:1], rows) == ["estimates of {('m', 'v')} only here, or only in the calm run"]


def test_a_stage_is_passed_on_when_a_version_comes_to_it_and_not_when_it_is_said_again_or_late():
    def rollout(at, stage):
        return f'{{"model": "m", "version": "v", "at": {at}, "stage": "{stage}"}}'.encode()

    came = passed_on([rollout(1, "canary"), rollout(2, "canary"), rollout(4, "live"), rollout(3, "shadow")])
    assert came == {("m", "v", "canary"): 1, ("m", "v", "live"): 1}
