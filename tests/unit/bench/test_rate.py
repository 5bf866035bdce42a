"""Speeds from what a worker had folded whenever its offsets moved."""

from __future__ import annotations

from math import isnan, nan

import pytest

from bench.worker import Sample, cpu_rate, rate


def samples(*folded: float) -> list[Sample]:
    return [Sample(number, 0, number / 2, 0, one) for number, one in enumerate(folded)]


def test_speed_is_of_what_was_folded_between_two_counts() -> None:
    found = samples(0, 100, 200, 600, 1_000, 1_100)
    assert rate(found, 0, 200) == pytest.approx(100)
    assert rate(found, 200, 1_000) == pytest.approx(400)
    assert cpu_rate(found, 200, 1_000) == pytest.approx(800)


def test_checkpoints_after_the_last_fold_are_not_work() -> None:
    found = samples(0, 100, 200, 300, 300, 300, 300)
    assert rate(found, 0, 300) == pytest.approx(100)


def test_sample_of_a_worker_that_did_not_say_is_passed_over() -> None:
    assert rate(samples(0, nan, 200, 300, 400), 0, 300) == pytest.approx(100)


def test_of_fewer_than_two_samples_there_is_no_speed() -> None:
    assert isnan(rate(samples(0, 100), 0, 100))
    assert isnan(rate([], 0, 100))
