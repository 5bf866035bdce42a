"""``make bench-detection ARGS=--short``: the report has what the whole one has, and keeps the promises."""

import json

import pytest
from click.testing import CliRunner

from bench.detection.__main__ import main
from bench.detection.cases import CAUSES

NOISE = 1.05
"""What so few lanes may add to a mean: three of its standard errors or more."""


@pytest.fixture(scope="module")
def report():
    done = CliRunner().invoke(main, ["--short"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout.splitlines()[-1])


def test_delays_from_a_known_rate_are_near_the_limit(report):
    known = report["delay_ratio"]["known"]
    assert known.keys() == {
        f"{shift}@{arl}" for shift in ("5_7", "10_15", "10_20", "20_40") for arl in ("1e6", "1e8")
    }
    assert all(1.0 < ratio < 1.10 * NOISE for ratio in known.values())


def test_delays_from_a_learned_rate_have_the_same_keys(report):
    assert report["delay_ratio"]["ref5000"].keys() == report["delay_ratio"]["known"].keys()


def test_false_alarms_of_independent_losses_are_the_nominal_ones_at_most(report):
    found = report["false_alarm_ratio"]["iid"]
    assert {"1%@1e6", "20%@1e8"} <= found.keys()
    assert all(0.9 < ratio < 1.0 * NOISE for ratio in found.values())


def test_false_alarms_of_dependent_losses_are_the_nominal_ones_at_most(report):
    found = report["false_alarm_ratio"]["autocorrelated"]
    assert {"1%:rho=0.1@1e6", "20%:rho=0.5@1e8"} <= found.keys()
    assert all(0.5 < ratio < 1.0 for ratio in found.values())


def test_fleet_says_what_was_promised_and_what_came(report):
    assert {"detected", "explained", "false_pages_per_team_week", "promised"} <= report["fleet"].keys()
    assert report["fleet"]["false_pages_per_team_week"] <= report["fleet"]["promised"]


def test_harm_is_found_and_explained(report):
    found = report["harmed"]
    assert found["by_cause"].keys() == {*CAUSES}
    assert found["detected"] == 1.0
    assert found["explained"] > 0.8


def test_each_shape_of_harm_is_told_as_often_as_it_should_be(report):
    for shape, (fewest, _, most) in report["pages"].items():
        told = (0, 0) if shape.startswith("well") else (1, 3 if "turns" in shape else 1)
        assert (told[0] <= fewest, most <= told[1]) == (True, True), shape


def test_harm_that_stays_is_never_called_over_and_harm_that_ends_is(report):
    found = report["endings"]
    assert {found[stays][0] for stays in ("10_15_15", "10_20_20", "10_40_40")} == {0.0}
    assert min(found[ends][0] for ends in ("5_50_5", "10_20_10", "10_15_10")) >= 0.9


def test_real_streams_are_judged_as_is_known_of_them(report):
    shown = {name: found for name, found in report["real"].items() if found is not None}
    if not shown:
        pytest.skip("NOT SHOWN: no real streams beside the repository (../shared/data)")
    assert {name: found["as_known"] for name, found in shown.items()} == dict.fromkeys(shown, True)
