"""Verdicts on versions that serve together."""

import math

import numpy as np
import pytest

from stream.events import ALL
from stream.verdict.difference import ERRORS, LABELS, TUNED, boundary, compared
from stream.verdict.mix import unlike
from stream.verdict.strata import LONG_S, Lost, Stratum, shared
from stream.verdict.verdict import DECISIONS, WHOLE, Decision, Reason, held_against, verdict
from tests.laws.versions import (
    BEGAN_AT,
    DAY_S,
    HOUR_S,
    Label,
    before,
    harmed,
    in_slices,
    refer,
    served,
    staged,
    steady,
    summed,
)


def told(monitor, name="v8", against="v7", increase=0.2):
    return verdict(monitor, name, against, increase)


def test_a_version_that_is_worse_is_rolled_back():
    found = told(served(steady({"v7": 0.05, "v8": 0.1}, 4_000, HOUR_S)))
    assert (found.decision, found.reason) == (Decision.ROLL_BACK, Reason.WORSE)
    assert found.candidate.figure.value == pytest.approx(0.9, abs=0.003)
    assert found.other.figure.value == pytest.approx(0.95, abs=0.003)
    assert found.difference.value == pytest.approx(found.candidate.figure.value - found.other.figure.value)
    assert found.difference.lower < found.difference.value < found.difference.upper < 0.0
    assert found.tolerated == pytest.approx(-0.2 * (1.0 - found.other.figure.value))


def test_a_version_that_is_better_is_promoted():
    found = told(served(steady({"v7": 0.2, "v8": 0.1}, 4_000, HOUR_S)))
    assert (found.decision, found.reason) == (Decision.PROMOTE, Reason.BETTER)
    assert 0.0 < found.difference.lower < found.difference.value


def test_the_same_version_twice_is_held_and_then_promoted_as_no_worse():
    labels = steady({"v7": 0.2, "v8": 0.2}, 20_000, HOUR_S)
    monitor, reasons = summed([before()]), []
    for number in range(0, len(labels), 4_000):
        summed(labels[number : number + 4_000], monitor)
        reasons.append(told(refer(monitor)).reason)
    assert reasons[0] is Reason.UNDECIDED
    assert reasons[-1] is Reason.NO_WORSE
    assert set(reasons) == {Reason.UNDECIDED, Reason.NO_WORSE}


def test_what_is_tolerated_is_the_owners():
    monitor = served(steady({"v7": 0.2, "v8": 0.2}, 10_000, HOUR_S))
    assert told(monitor, increase=0.2).reason is Reason.NO_WORSE
    assert told(monitor, increase=0.05).reason is Reason.UNDECIDED


def test_a_regression_is_compared_by_its_errors():
    def errors(version, size):
        return [Label(version, BEGAN_AT + number, size * (0.5 + number % 3 / 2.0)) for number in range(3_000)]

    monitor = refer(summed([Label("v7", BEGAN_AT - DAY_S, 4.0), *errors("v7", 4.0), *errors("v8", 6.0)]))
    found = told(monitor)
    assert (found.metric, found.reason) == ("mae", Reason.WORSE)
    assert found.difference.value == pytest.approx(2.0, rel=1e-6)
    assert 0.0 < found.difference.lower < found.difference.value
    assert found.tolerated == pytest.approx(0.8, rel=1e-6)
    assert told(monitor, "v7", "v8").reason is Reason.BETTER


def test_a_ramp_of_traffic_in_a_world_that_changes_fools_nobody():
    """Each hour both lose alike; all in all the candidate, which came late, loses twice as much."""
    labels = []
    for hour, (share, rate) in enumerate([(0.01, 0.05), (0.05, 0.1), (0.25, 0.2), (0.5, 0.3)] * 2):
        since = BEGAN_AT + HOUR_S * hour
        labels += steady({"v8": rate}, round(4_000 * share), HOUR_S, since)
        labels += steady({"v7": rate}, round(4_000 * (1.0 - share)), HOUR_S, since)
    found = told(served(labels))
    assert found.reason in (Reason.UNDECIDED, Reason.NO_WORSE)
    assert abs(found.difference.value) < 0.015


def test_a_long_stretch_in_which_the_share_was_moved_is_left_out():
    """Within twelve hours the candidate came from 1 to 50 %, and the world got harder."""
    night = steady({"v8": 0.05}, 40, 6 * HOUR_S, BEGAN_AT + DAY_S) + steady(
        {"v7": 0.05}, 4_000, 6 * HOUR_S, BEGAN_AT + DAY_S
    )
    day = steady({"v7": 0.2, "v8": 0.2}, 3_000, 6 * HOUR_S, BEGAN_AT + DAY_S + 6 * HOUR_S)
    later = steady({"v7": 0.2, "v8": 0.2}, 12_000, 20 * HOUR_S, BEGAN_AT + DAY_S + 12 * HOUR_S)
    labels = [Label("v8", BEGAN_AT + HOUR_S, False), *night, *day, *later]
    found = told(served(labels))
    assert found.uneven_s == 12 * HOUR_S
    assert found.since_at == BEGAN_AT + DAY_S + 12 * HOUR_S
    assert abs(found.difference.value) < 0.005
    kept = told(served([labels[0], *day, *later]))
    assert kept.uneven_s == 0.0
    assert kept.since_at == BEGAN_AT + DAY_S


def test_only_time_that_both_served_counts():
    alone = steady({"v7": 0.5}, 2_000, HOUR_S, BEGAN_AT - HOUR_S)
    together = steady({"v7": 0.1, "v8": 0.1}, 8_000, HOUR_S)
    found = told(served([*alone, *together]))  # the candidate began in the first half hour
    assert (found.since_at, found.until_at) == (BEGAN_AT + HOUR_S / 2.0, BEGAN_AT + HOUR_S)
    assert (found.candidate.labels, found.other.labels) == (4_000, 4_000)
    assert found.other.figure.value == pytest.approx(0.9, abs=0.001)
    found = told(served([*alone, *together, *steady({"v7": 0.5}, 500, 300.0, BEGAN_AT + HOUR_S)]))
    assert (found.since_at, found.until_at) == (BEGAN_AT + HOUR_S / 2.0, BEGAN_AT + HOUR_S)
    assert found.other.figure.value == pytest.approx(0.9, abs=0.001)


def test_versions_that_never_served_together_are_not_compared():
    monitor = served(steady({"v7": 0.1}, 500, HOUR_S) + steady({"v8": 0.1}, 500, HOUR_S, BEGAN_AT + DAY_S))
    assert told(monitor).reason is Reason.NOT_CONCURRENT
    assert math.isnan(told(monitor).difference.value)


def test_a_version_with_other_heads_is_cut_where_both_are():
    """The candidate's newest label is of hours ago, so its buckets are finer there."""
    labels = steady({"v7": 0.1, "v8": 0.1}, 2_000, 6 * HOUR_S)
    more = steady({"v7": 0.1}, 500, 5 * HOUR_S, BEGAN_AT + 6 * HOUR_S)
    monitor = served([before("v8"), *labels, *more])
    ours, others = pair(monitor)
    edges = {edge for one in shared(ours, others).stretches for edge in (one.since_at, one.until_at)}
    assert max(edges) == BEGAN_AT + 6 * HOUR_S
    for version in (ours, others):
        assert edges <= {edge for one in version.sums.windows.held() for edge in one[:2]}


def pair(monitor):
    return monitor.versions["v8"], monitor.versions["v7"]


def test_an_open_finding_rolls_back_unless_the_other_version_has_it_as_well():
    monitor = served(steady({"v7": 0.2, "v8": 0.1}, 4_000, HOUR_S))
    finding = harmed().versions["v8"].series[ALL].finding
    monitor.versions["v8"].series[ALL].finding = finding
    found = told(monitor)
    assert (found.decision, found.reason, found.finding) == (Decision.ROLL_BACK, Reason.OPEN_FINDING, finding)
    monitor.versions["v7"].series[ALL].finding = finding
    assert told(monitor).reason is Reason.BETTER
    del monitor.versions["v7"]
    assert told(monitor, against=None).reason is Reason.OPEN_FINDING


def test_a_version_that_is_worse_in_a_slice_only_is_rolled_back():
    found = told(served(in_slices({"nl": (0.2, 0.45), "de": (0.2, 0.1), "fr": (0.2, 0.05)}, 3_000)))
    assert (found.decision, found.reason, found.slice) == (
        Decision.ROLL_BACK,
        Reason.WORSE_SLICE,
        "country=nl",
    )
    assert found.slice_difference.upper < 0.0


def test_a_slice_that_may_be_too_bad_holds_the_version():
    found = told(served(in_slices({"nl": (0.2, 0.26), "de": (0.2, 0.15), "fr": (0.2, 0.15)}, 6_000)))
    assert (found.decision, found.reason, found.slice) == (Decision.HOLD, Reason.SLICE_IN_DOUBT, "country=nl")


def test_a_canary_of_one_country_is_compared_within_it():
    """It loses as much in each country, but is sent mostly to where everybody loses more."""
    labels = in_slices({"nl": (0.3, 0.3), "de": (0.05, 0.05)}, 9_000, {"de": 0.05})
    found = told(served(labels))
    assert found.mix.name == "country"
    assert found.mix.moved == pytest.approx(0.45, abs=0.03)
    assert found.reason in (Reason.NO_WORSE, Reason.UNDECIDED)
    assert abs(found.difference.value) < 0.005
    without = told(served([one._replace(slices=()) for one in labels]))
    assert (without.mix, without.reason) == (None, Reason.WORSE)


def test_the_same_mix_is_no_news():
    monitor = served(in_slices({"nl": (0.3, 0.3), "de": (0.05, 0.05)}, 500, {"nl": 0.1, "de": 0.1}))
    assert unlike(shared(*pair(monitor))) is None


def test_few_labels_and_few_errors_hold():
    few = served(steady({"v7": 0.2, "v8": 0.8}, 60, 450.0))
    assert told(few).reason is Reason.TOO_FEW_LABELS
    assert told(served(steady({"v7": 0.0, "v8": 0.0}, 4_000, HOUR_S))).reason is Reason.TOO_FEW_ERRORS
    unreferred = summed([before(), *steady({"v7": 0.2, "v8": 0.2}, 400, HOUR_S)])
    found = told(unreferred)
    assert found.reason is Reason.TOO_FEW_LABELS
    assert found.candidate.figure.lower < found.candidate.figure.value < found.candidate.figure.upper
    assert told(refer(unreferred)).reason is not Reason.TOO_FEW_LABELS


def test_a_version_that_makes_no_error_is_better_once_it_must_have_made_some():
    found = told(served(steady({"v7": 0.1, "v8": 0.0}, 4_000, HOUR_S)))
    assert found.reason is Reason.BETTER
    assert found.candidate.figure.lower < 1.0


def test_dependence_widens_the_bounds():
    labels = steady({"v7": 0.2, "v8": 0.2}, 8_000, HOUR_S)
    plain, dependent = (told(served(labels, inflation)).difference for inflation in (1.0, 4.0))
    assert dependent.upper - dependent.lower == pytest.approx(2.0 * (plain.upper - plain.lower))


def test_retired_alone_and_of_another_kind():
    monitor = served(steady({"v7": 0.2, "v8": 0.1}, 4_000, HOUR_S))
    assert told(staged(monitor, v7="live", v8="retired")).reason is Reason.RETIRED
    assert told(summed([before("v8")]), against=None).reason is Reason.ALONE


def test_it_is_held_against_the_version_that_went_live_last_else_that_with_most_traffic():
    labels = steady({"v7": 0.2, "v8": 0.1}, 100, HOUR_S) + steady({"v6": 0.2}, 400, HOUR_S)
    monitor = summed([before(), before("v6"), *labels])
    assert held_against(monitor, "v8") == "v6"
    assert held_against(staged(monitor, v6="live", v7="live", v8="canary"), "v8") == "v7"
    assert held_against(staged(monitor, v6="live", v7="live", v8="live"), "v8") == "v7"
    assert held_against(staged(monitor, v6="live", v7="live", v8="live"), "v6") == "v8"


def test_without_a_live_one_it_is_held_against_no_shadow_or_other_canary_while_one_serves_unannounced():
    labels = steady({"v7": 0.2, "v8": 0.1}, 100, HOUR_S) + steady({"v9": 0.2}, 400, HOUR_S)
    monitor = summed([*(before(one) for one in ("v7", "v9", "v6")), *labels])
    for stage in ("shadow", "canary", "retired"):
        assert held_against(staged(monitor, v9=stage, v8="canary"), "v8") == "v7"
    del monitor.versions["v7"]
    assert held_against(monitor, "v8") == "v9"  # v6 has not served with it


def test_every_reason_has_a_decision():
    assert set(DECISIONS) == set(Reason)


# the sums against the losses themselves


def strata_of(rows):
    """Strata from lists of the losses of both."""
    return [Stratum(*(Lost(len(one), sum(one), sum(x * x for x in one)) for one in row)) for row in rows]


def test_the_difference_and_its_bounds_are_those_of_the_losses():
    """From Robbins' formula and each loss by itself, without a sum of squares."""
    rng = np.random.default_rng(1)
    rows = [
        (rng.exponential(2.0, ours), rng.exponential(1.0, others))
        for ours, others in ((9, 80), (40, 300), (200, 150))
    ]
    weights = [len(ours) * len(others) / (len(ours) + len(others)) for ours, others in rows]
    for factor in (1.0, 1.2):
        value = sum(
            w * (a.mean() - factor * b.mean()) for w, (a, b) in zip(weights, rows, strict=True)
        ) / sum(weights)
        means = [np.average([one[side].mean() for one in rows], weights=weights) for side in (0, 1)]
        terms = [
            w / len(one[side]) * scale * (one[side] - means[side])
            for w, one in zip(weights, rows, strict=True)
            for side, scale in ((0, 1.0), (1, factor))
        ]
        variance = np.square(np.concatenate(terms)).sum() * 2.5
        ratio = (2.0 * np.log(1 / WHOLE) + np.log(1.0 + 2.0 * np.log(1 / WHOLE))) / TUNED
        passed = sum(weights) * ratio
        half = np.sqrt(variance * (1.0 + 1.0 / passed) * np.log((passed + 1.0) / WHOLE**2)) / sum(weights)
        found = compared(strata_of(rows), 2.5).excess(WHOLE, factor)
        assert [found.value, found.lower, found.upper] == pytest.approx([value, value - half, value + half])


def test_a_boundary_is_crossed_by_a_random_walk_no_more_often_than_it_says():
    """A normal walk of 20,000 steps at alpha .1: the formula is exact for one that goes on for ever."""
    rng, alpha, walks = np.random.default_rng(2), 0.1, 600
    limits = np.array([boundary(float(t), alpha) * math.sqrt(t) for t in range(1, 20_001)])
    crossed = sum(bool((np.abs(np.cumsum(rng.normal(size=20_000))) > limits).any()) for _ in range(walks))
    assert crossed / walks <= alpha
    assert crossed / walks > alpha / 4  # and not by being far away


def test_of_nothing_nothing_is_said():
    found = compared([], 1.0)
    assert (found.time, found.is_fit) == (0.0, False)
    assert math.isnan(found.excess(WHOLE).value)


def test_what_is_fit_to_be_judged():
    def fit(ours, others):
        return compared([Stratum(*(Lost(labels, lost, lost) for labels, lost in (ours, others)))], 1.0).is_fit

    assert not fit((LABELS - 1, 20), (1_000, 100))
    assert not fit((200, ERRORS - 1), (10_000, 100))
    assert fit((200, ERRORS), (10_000, 100))  # made ten
    assert fit((200, 0), (10_000, 600))  # expects twelve
    assert LONG_S > 150.0
